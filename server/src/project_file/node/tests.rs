//! Paths to places.

use super::super::json;

#[test]
fn paths_lead_to_places() {
    let text = "{\n \"groups\": [\n  {},\n  {\"properties\":\n   [{\"operator\": 1}]}\n ]\n}";
    let node = json::parse(text, &mut Vec::new()).unwrap();
    for (path, expected) in [
        ("", "1:1"),
        ("groups", "2:12"),
        ("groups[1]", "4:3"),
        (".groups[1].properties[0].operator", "5:18"),
        ("groups[1].properties[0].missing", "5:5"),
        ("groups[7].properties", "2:12"),
        ("nothing", "1:1"),
    ] {
        assert_eq!(node.place_of(path).to_string(), expected, "{path}");
    }
}
