use super::*;
use governor::clock::FakeRelativeClock;
use std::net::Ipv4Addr;

const ONE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

fn rate(per_second: u32, burst: u32) -> Option<Rate> {
    Some(Rate {
        per_second: NonZeroU32::new(per_second).unwrap(),
        burst: NonZeroU32::new(burst).unwrap(),
    })
}

fn limits(config: RateLimitConfig) -> (RateLimits<FakeRelativeClock>, FakeRelativeClock) {
    let clock = FakeRelativeClock::default();
    (RateLimits::with_clock(&config, &clock), clock)
}

#[test]
fn without_a_rate_nothing_is_limited() {
    let (limits, _) = limits(RateLimitConfig::default());
    assert!(!limits.limits_tokens());
    for _ in 0..1_000 {
        assert_eq!(limits.address(Traffic::Flags, ONE), Verdict::Within);
        assert_eq!(
            limits.token(Traffic::Flags, Some(b"a"), ONE),
            Verdict::Within
        );
    }
}

#[test]
fn a_burst_is_let_through_and_then_the_rate() {
    let (limits, clock) = limits(RateLimitConfig {
        address: rate(10, 3),
        ..RateLimitConfig::default()
    });
    for _ in 0..3 {
        assert_eq!(limits.address(Traffic::Flags, ONE), Verdict::Within);
    }
    let hundred = Duration::from_millis(100);
    let refused = Verdict::Refused {
        retry_after: hundred,
    };
    assert_eq!(limits.address(Traffic::Flags, ONE), refused);
    assert_eq!(
        limits.address(Traffic::Flags, ONE),
        refused,
        "a refusal costs nothing"
    );
    assert_eq!(limits.address(Traffic::Flags, OTHER), Verdict::Within);
    clock.advance(hundred);
    assert_eq!(limits.address(Traffic::Flags, ONE), Verdict::Within);
    assert_eq!(limits.address(Traffic::Flags, ONE), refused);
    clock.advance(Duration::from_secs(60));
    for _ in 0..3 {
        assert_eq!(
            limits.address(Traffic::Flags, ONE),
            Verdict::Within,
            "rested, but no more than a burst"
        );
    }
    assert_eq!(limits.address(Traffic::Flags, ONE), refused);
}

#[test]
fn a_token_counts_wherever_it_comes_from_and_an_unreadable_one_by_its_address() {
    let (limits, _) = limits(RateLimitConfig {
        token: rate(1, 1),
        ..RateLimitConfig::default()
    });
    assert_eq!(
        limits.token(Traffic::Flags, Some(b"a"), ONE),
        Verdict::Within
    );
    assert_ne!(
        limits.token(Traffic::Flags, Some(b"a"), OTHER),
        Verdict::Within
    );
    assert_eq!(
        limits.token(Traffic::Flags, Some(b"b"), ONE),
        Verdict::Within
    );
    assert_eq!(limits.token(Traffic::Flags, None, ONE), Verdict::Within);
    assert_ne!(limits.token(Traffic::Flags, None, ONE), Verdict::Within);
    assert_eq!(limits.token(Traffic::Flags, None, OTHER), Verdict::Within);
    assert_eq!(
        limits.address(Traffic::Flags, ONE),
        Verdict::Within,
        "addresses have no limit here"
    );
}

#[test]
fn warnings_let_through() {
    let (limits, _) = limits(RateLimitConfig {
        token: rate(1, 1),
        address: rate(1, 1),
        warn_only: true,
        ..RateLimitConfig::default()
    });
    assert_eq!(limits.address(Traffic::Flags, ONE), Verdict::Within);
    assert_eq!(limits.address(Traffic::Flags, ONE), Verdict::Over);
    assert_eq!(
        limits.token(Traffic::Flags, Some(b"a"), ONE),
        Verdict::Within
    );
    assert_eq!(limits.token(Traffic::Flags, Some(b"a"), ONE), Verdict::Over);
}

#[test]
fn an_address_of_ipv6_stands_for_its_network() {
    let (limits, _) = limits(RateLimitConfig {
        address: rate(1, 1),
        ..RateLimitConfig::default()
    });
    let address = |text: &str| limits.address(Traffic::Flags, text.parse().unwrap());
    assert_eq!(address("2001:db8:0:1::1"), Verdict::Within);
    assert_ne!(address("2001:db8:0:1:ffff::2"), Verdict::Within);
    assert_eq!(address("2001:db8:0:2::1"), Verdict::Within);
}

/// However many tokens there are, one that is over its limit stays over it.
#[test]
fn a_flood_of_tokens_frees_nobody() {
    let (limits, _) = limits(RateLimitConfig {
        token: rate(1, 100),
        ..RateLimitConfig::default()
    });
    while limits.token(Traffic::Flags, Some(b"busy"), ONE) == Verdict::Within {}
    for n in 0..400_000_u32 {
        limits.token(Traffic::Flags, Some(&n.to_le_bytes()), ONE);
    }
    assert_ne!(
        limits.token(Traffic::Flags, Some(b"busy"), ONE),
        Verdict::Within
    );
}

#[test]
fn each_project_has_a_limit_of_its_own() {
    let (limits, _) = limits(RateLimitConfig {
        definitions: rate(1, 2),
        ..RateLimitConfig::default()
    });
    for _ in 0..2 {
        assert_eq!(limits.definitions(ProjectId(1)), Verdict::Within);
    }
    assert!(matches!(
        limits.definitions(ProjectId(1)),
        Verdict::Refused { .. }
    ));
    assert_eq!(limits.definitions(ProjectId(2)), Verdict::Within);
    assert_eq!(limits.address(Traffic::Flags, ONE), Verdict::Within);
}

#[test]
fn events_and_flags_are_counted_apart() {
    let (limits, _) = limits(RateLimitConfig {
        address: rate(1, 1),
        token: rate(1, 1),
        ..RateLimitConfig::default()
    });
    for traffic in [Traffic::Flags, Traffic::Events] {
        assert_eq!(limits.address(traffic, ONE), Verdict::Within);
        assert_ne!(limits.address(traffic, ONE), Verdict::Within);
        assert_eq!(limits.token(traffic, Some(b"a"), ONE), Verdict::Within);
        assert_ne!(limits.token(traffic, Some(b"a"), ONE), Verdict::Within);
        assert_eq!(limits.token(traffic, None, ONE), Verdict::Within);
        assert_ne!(limits.token(traffic, None, ONE), Verdict::Within);
    }
}
