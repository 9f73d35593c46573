use super::super::Route;
use super::AdminRoute;

#[test]
fn every_route_is_found_under_both_prefixes() {
    for route in AdminRoute::ALL {
        let path = route.label().replace("{project}", "1").replace("{id}", "7");
        assert_eq!(Route::of(&path), Route::Admin(route), "{path}");
        assert_eq!(
            Route::of(&format!("{path}/")),
            Route::Admin(route),
            "{path}/"
        );
        let environments = path.replace("/api/projects", "/api/environments");
        let expected = match route {
            AdminRoute::Projects => Route::Unmatched,
            route => Route::Admin(route),
        };
        assert_eq!(Route::of(&environments), expected, "{environments}");
    }
}

#[test]
fn older_paths_keep_their_meaning() {
    let cases = [
        (
            "/api/projects/1/feature_flags/local_evaluation",
            Route::ProjectLocalEvaluation,
        ),
        (
            "/api/projects/1/feature_flags/k/remote_config",
            Route::Payload,
        ),
        (
            "/api/projects/1/feature_flags/activity",
            Route::Admin(AdminRoute::FlagsActivity),
        ),
        ("/api/projects/@current", Route::Admin(AdminRoute::Project)),
        ("/api/projects/1/nothing", Route::Unmatched),
        ("/api/users/@me/x", Route::Unmatched),
    ];
    for (path, expected) in cases {
        assert_eq!(Route::of(path), expected, "{path}");
    }
}
