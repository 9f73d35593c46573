//! The container files, as far as they can be checked without an engine: they are read, and held against the program.

use burgee_integration_tests::burgee;
use serde_json::Value;

fn repository_file(name: &str) -> String {
    let path = format!("{}/../{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn compose() -> Value {
    serde_saphyr::from_str(&repository_file("docker-compose.yml")).expect("well-formed YAML")
}

#[test]
fn the_compose_file_holds_together() {
    let compose = compose();
    let burgee = &compose["services"]["burgee"];
    let postgres = &compose["services"]["postgres"];
    assert_eq!(
        burgee["depends_on"]["postgres"]["condition"],
        "service_healthy"
    );
    assert!(
        postgres["image"]
            .as_str()
            .unwrap()
            .starts_with("postgres:17")
    );
    assert!(postgres["healthcheck"]["test"].is_array());
    let volume = postgres["volumes"][0]
        .as_str()
        .unwrap()
        .split(':')
        .next()
        .unwrap();
    assert!(
        compose["volumes"].as_object().unwrap().contains_key(volume),
        "{volume} is declared"
    );
    let url = burgee["environment"]["BURGEE_DATABASE_URL"]
        .as_str()
        .unwrap();
    let secrets = &postgres["environment"];
    let (user, password, name) = (
        &secrets["POSTGRES_USER"],
        &secrets["POSTGRES_PASSWORD"],
        &secrets["POSTGRES_DB"],
    );
    let expected = format!(
        "postgres://{}:{}@postgres:5432/{}",
        user.as_str().unwrap(),
        password.as_str().unwrap(),
        name.as_str().unwrap()
    );
    assert_eq!(url, expected);
}

/// Each variable that the container files set is one that `burgee serve` knows.
#[test]
fn container_settings_exist() {
    let help = burgee(&["serve", "--help"]).expect_code(0).stdout;
    let files = repository_file("docker-compose.yml") + &repository_file("Dockerfile");
    let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let mut variables: Vec<&str> = files
        .split(|c| !is_name(c))
        .filter(|word| word.starts_with("BURGEE_"))
        .collect();
    variables.sort_unstable();
    variables.dedup();
    assert!(!variables.is_empty());
    for variable in variables {
        assert!(help.contains(variable), "{variable} in {help}");
    }
}

#[test]
fn the_image_runs_as_nobody_special() {
    let dockerfile = repository_file("Dockerfile");
    let instruction = |name: &str| {
        dockerfile
            .lines()
            .rev()
            .find(|line| line.starts_with(name))
            .map(str::to_owned)
    };
    let user = instruction("USER ").expect("a user");
    assert!(!["USER root", "USER 0"].contains(&user.as_str()), "{user}");
    assert!(
        dockerfile.contains("HEALTHCHECK") && dockerfile.contains("\"healthcheck\""),
        "{dockerfile}"
    );
    let build = repository_file(".dockerignore");
    assert!(
        build
            .lines()
            .any(|line| line.trim() == "target" || line.trim() == "/target")
    );
}
