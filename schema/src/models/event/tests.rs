use super::EventId;

/// Texts that name the same event, and one that does not.
#[test]
fn a_uuid_is_its_bits() {
    let uuid = "01a20084-f5f6-7f8d-b88c-968540f758d6";
    let id = EventId::of(uuid);
    assert_eq!(id.high, 0x01a2_0084_f5f6_7f8d);
    assert_eq!(
        id.low,
        i64::from_be_bytes([0xb8, 0x8c, 0x96, 0x85, 0x40, 0xf7, 0x58, 0xd6])
    );
    for (text, is_same) in [
        ("01a20084f5f67f8db88c968540f758d6", true),
        ("01A20084-F5F6-7F8D-B88C-968540F758D6", true),
        ("01a20084-f5f6-7f8d-b88c-968540f758d7", false),
        ("01a20084-f5f67f8d-b88c-968540f758d6", false),
        ("+1a20084f5f67f8db88c968540f758d6", false),
        ("", false),
        ("order-17", false),
    ] {
        assert_eq!(EventId::of(text) == id, is_same, "{text}");
    }
    assert_eq!(EventId::of("order-17"), EventId::of("order-17"));
    assert_ne!(EventId::of("order-17"), EventId::of("order-18"));
}
