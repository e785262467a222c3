//! Running other programs: every failure is one line that names the command.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Announces a step of a longer command, on standard error, so that standard output stays data.
pub fn announce(what: &str) {
    eprintln!("\u{25b8} {what}");
}

/// A command whose working directory is `directory`.
pub fn command(directory: &Path, program: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.current_dir(directory).args(arguments).stdin(Stdio::null());
    command
}

/// Cargo, as the one that runs us.
pub fn cargo(directory: &Path, arguments: &[&str]) -> Command {
    command(directory, std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), arguments)
}

/// Runs it with its output shown; a failing status is an error.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", shown(command)))?;
    if !status.success() {
        bail!("{} failed ({status})", shown(command));
    }
    Ok(())
}

/// Runs it and returns what it printed on standard output; a failing status is an error.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {}", shown(command)))?;
    if !output.status.success() {
        bail!("{} failed ({})", shown(command), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What a command printed, both streams in order, and whether it succeeded in time.
pub struct Captured {
    /// Both output streams, interleaved as they were written.
    pub text: String,
    /// Whether it exited with status zero.
    pub success: bool,
    /// How it ended, in words.
    pub ending: String,
}

/// Runs it with both streams captured, each line also given to `on_line`; killed at `limit`.
pub fn capture(
    command: &mut Command,
    limit: Duration,
    mut on_line: impl FnMut(&str) + Send,
) -> Result<Captured> {
    let name = shown(command);
    let (reader, writer) = std::io::pipe().context("no pipe")?;
    command.stdout(writer.try_clone().context("no pipe")?).stderr(writer);
    let started = Instant::now();
    let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
    // Our copy of the pipe's writing end lives in `command`; while it does, the reader never ends.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut text = String::new();
    let ending = std::thread::scope(|scope| -> Result<Option<std::process::ExitStatus>> {
        let lines = scope.spawn(|| {
            for line in BufReader::new(reader).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                on_line(&line);
                text.push_str(&line);
                text.push('\n');
            }
        });
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break Some(status);
            }
            if started.elapsed() > limit {
                child.kill()?;
                child.wait()?;
                break None;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        // A grandchild may hold the pipe open for a while: wait for the text all the same.
        let _joined = lines.join();
        Ok(status)
    })?;
    Ok(match ending {
        Some(status) => Captured { text, success: status.success(), ending: status.to_string() },
        None => {
            let ending = format!("killed: {name} took more than {} s", limit.as_secs());
            Captured { text, success: false, ending }
        }
    })
}

/// The first of these programs that is on PATH (or is an absolute path that exists).
pub fn find(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    for name in names {
        if Path::new(name).is_absolute() && Path::new(name).is_file() {
            return Some(PathBuf::from(name));
        }
        for directory in std::env::split_paths(&path) {
            let candidate = directory.join(name).with_extension(std::env::consts::EXE_EXTENSION);
            if candidate.is_file() {
                return Some(candidate);
            }
        }
    }
    None
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut text = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_captured_command_keeps_both_streams_in_order_and_its_status() {
        let script = "echo one; echo two >&2; echo three; exit 3";
        let mut seen = Vec::new();
        let captured = capture(
            &mut command(Path::new("."), "sh", &["-c", script]),
            Duration::from_secs(20),
            |line| {
                seen.push(line.to_owned());
            },
        )
        .unwrap();
        assert_eq!(captured.text, "one\ntwo\nthree\n");
        assert_eq!(seen, ["one", "two", "three"]);
        assert!(!captured.success);
    }

    #[test]
    fn a_command_that_does_not_end_is_killed_at_its_limit() {
        let mut sleeper = command(Path::new("."), "sleep", &["60"]);
        let captured = capture(&mut sleeper, Duration::from_millis(50), |_| {}).unwrap();
        assert!(captured.ending.starts_with("killed: sleep 60"), "{}", captured.ending);
    }
}
