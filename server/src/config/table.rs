//! The settings of the server as a Markdown table, from the same definitions that read them.

use super::ServeOptions;
use clap::{Args, Command};

/// Returns the table that docs/configuration.md shows: option, variable, default, meaning.
pub fn settings_table() -> String {
    let command = ServeOptions::augment_args(Command::new("serve"));
    let mut table =
        String::from("| option | variable | default | meaning |\n| --- | --- | --- | --- |\n");
    for argument in command.get_arguments() {
        let (Some(long), Some(variable)) = (argument.get_long(), argument.get_env()) else {
            continue;
        };
        let default: Vec<_> = argument
            .get_default_values()
            .iter()
            .map(|value| value.to_string_lossy())
            .filter(|value| !value.is_empty())
            .map(|value| format!("`{value}`"))
            .collect();
        let meaning = argument.get_help().map(ToString::to_string);
        table.push_str(&format!(
            "| `--{long}` | `{}` | {} | {} |\n",
            variable.to_string_lossy(),
            default.join(" "),
            meaning.unwrap_or_default().replace('|', "\\|"),
        ));
    }
    table
}
