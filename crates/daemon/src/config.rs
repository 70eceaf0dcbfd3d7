//! Reads a configuration: one TOML file, some of it overridden by the environment, checked as a whole before anything
//! starts.

mod field;
mod problem;
mod secret;
mod source;
mod table;
#[cfg(test)]
mod tests;
pub mod values;

pub use field::Field;
pub use problem::{Origin, Problem, Problems};
pub use secret::Secret;
pub use source::{Found, Source};
pub use table::Table;

use crate::Program;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// A usable configuration, and what is not good about it.
#[derive(Debug)]
pub struct Loaded<C> {
    /// The configuration.
    pub config: C,
    /// Whole sentences for an operator.
    pub warnings: Vec<String>,
}

/// Reads the file and the process's environment.
///
/// # Errors
/// Everything that is wrong.
pub fn load<C>(program: &Program<C>, path: &Path) -> Result<Loaded<C>, Problems> {
    let file = path.display().to_string();
    let unreadable = |error: &std::io::Error| {
        let text = if error.kind() == ErrorKind::NotFound {
            format!("there is no such file; copy {} there and change it", program.example)
        } else {
            format!("cannot be read ({error}); name a file that {}'s user may read", program.name)
        };
        Problems::new(&file, [Problem::in_file(text)])
    };
    let bytes = std::fs::read(path).map_err(|error| unreadable(&error))?;
    let mode = std::fs::metadata(path).map_err(|error| unreadable(&error))?.permissions().mode() & 0o777;
    let text = String::from_utf8(bytes).map_err(|error| {
        let sound = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + sound.iter().filter(|byte| **byte == b'\n').count();
        Problems::new(&file, [Problem::at(line, "not UTF-8; save the file as UTF-8 text".to_owned())])
    })?;
    let environment = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    let parsed = parse(&file, &text, &environment, program.read)?;
    let mut warnings = parsed.warnings;
    if parsed.secret_in_file && mode & 0o044 != 0 {
        warnings.push(format!(
            "{file}: holds a secret that other users can read (mode {mode:04o}); run chmod 600 {file}"
        ));
    }
    Ok(Loaded { config: parsed.config, warnings })
}

/// What was read from a text.
#[derive(Debug)]
pub struct Parsed<C> {
    /// The configuration.
    pub config: C,
    /// Whole sentences for an operator.
    pub warnings: Vec<String>,
    /// A password or token stands in the text itself.
    pub secret_in_file: bool,
}

/// Reads a configuration from its text; `environment` looks up overrides. A variable that is empty is not set.
///
/// # Errors
/// Everything that is wrong, said to be in `file`.
pub fn parse<C>(
    file: &str,
    text: &str,
    environment: &dyn Fn(&str) -> Option<String>,
    read: fn(&mut Source<'_>) -> Option<C>,
) -> Result<Parsed<C>, Problems> {
    let document = source::document(file, text)?;
    let mut source = Source::new(text, &document, environment);
    let config = read(&mut source);
    let (problems, warnings, secret_in_file) = source.finish();
    match config {
        Some(config) if problems.is_empty() => {
            let warnings = warnings.into_iter().map(|warning| Problems::new(file, [warning]).to_string());
            Ok(Parsed { config, warnings: warnings.collect(), secret_in_file })
        }
        Some(_) | None => Err(Problems::new(file, problems)),
    }
}
