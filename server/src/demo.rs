//! The demo project: what `burgee serve --demo` loads.

/// Its project file.
pub const PROJECT: &str = include_str!("demo.yaml");

/// The name of the file in messages; its ending says that it is YAML.
pub const FILE: &str = "demo.yaml";

/// Its public token.
pub const TOKEN: &str = "phc_local_dev";

#[cfg(test)]
mod tests;
