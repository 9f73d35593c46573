use super::*;

fn read_by(text: &[u8], size: usize) -> Vec<Id> {
    let mut reader = CsvReader::new();
    let mut ids = Vec::new();
    for piece in text.chunks(size) {
        reader.read(piece, &mut ids);
    }
    reader.finish(&mut ids);
    ids
}

#[test]
fn ids_are_the_first_column_or_the_named_one() {
    let long = format!("{}\nb\n", "x".repeat(MAX_FIELD + 1));
    let cases: [(&[u8], &[&str]); 16] = [
        (b"", &[]),
        (b"a", &["a"]),
        (b"a\nb\n", &["a", "b"]),
        (b"a\r\n\r\n\nb", &["a", "b"]),
        (b"a,1\nb,2\n", &["a", "b"]),
        (b"a;1,x\nb\t2\n", &["a;1", "b\t2"]),
        (b"distinct_id\na\nb", &["a", "b"]),
        (
            b"email,Distinct_ID,age\nx@y,a,3\nz@y,b,4\nshort\n",
            &["a", "b"],
        ),
        (b"\xef\xbb\xbfdistinct_id\na", &["a"]),
        (b"\xef\xbb\xbfa\nb", &["a", "b"]),
        (
            b"\"a,b\"\n\"say \"\"hi\"\"\"\n\"two\nlines\"",
            &["a,b", "say \"hi\"", "two\nlines"],
        ),
        (b"  a  \n\" b \"\n", &["a", "b"]),
        (b",x\na\n", &["a"]),
        (b"\"\"\na\n", &["a"]),
        (b"\xff\nb\n", &["?", "b"]),
        (long.as_bytes(), &["?", "b"]),
    ];
    for (text, expected) in cases {
        for size in [1, 2, 3, 1_000] {
            let found = read_by(text, size);
            let found: Vec<&str> = found
                .iter()
                .map(|id| match id {
                    Id::Known(id) => id.as_str(),
                    Id::Impossible => "?",
                })
                .collect();
            assert_eq!(
                found,
                expected,
                "{:?} by {size}",
                String::from_utf8_lossy(text)
            );
        }
    }
}

#[test]
fn what_is_held_does_not_grow_with_the_file() {
    let mut reader = CsvReader::new();
    let mut ids = Vec::new();
    for _ in 0..10_000 {
        reader.read(b"\"an open quote that never ends ", &mut ids);
    }
    assert!(reader.field.capacity() <= 2 * MAX_FIELD);
    reader.finish(&mut ids);
    assert_eq!(ids, [Id::Impossible]);
}
