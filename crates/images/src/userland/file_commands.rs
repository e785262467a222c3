//! Commands that read and write files.

use runtime::Io;

use super::follow::Follow;
use super::{Invocation, MAX_OUTPUT_BYTES, Outcome, View, absolute};

/// Runs a command that has to do with files; `None` if it is not one.
pub(super) fn files(
    name: &str,
    args: &[String],
    invocation: &mut Invocation,
    view: &View<'_>,
    io: &mut Io<'_>,
) -> Option<Outcome> {
    let (options, operands): (Vec<&String>, Vec<&String>) =
        args.iter().partition(|word| word.len() > 1 && word.starts_with('-'));
    let paths: Vec<String> =
        operands.iter().map(|operand| absolute(view.directory, operand)).collect();
    let outcome = match name {
        "cat" => read_all(name, &paths, invocation, io),
        "tail" => return Some(tail(args, &options, &paths, invocation, io)),
        // The processes of a container do not see each other here.
        "killall" => {
            let name = operands.last().map(|name| name.as_str()).unwrap_or_default();
            invocation.err = format!("killall: {name}: no process killed\n");
            1
        }
        "rev" => {
            let code = read_all(name, &paths, invocation, io);
            let text = std::mem::take(&mut invocation.out);
            let lines =
                text.lines().map(|line| line.chars().rev().chain(['\n']).collect::<String>());
            invocation.out = lines.collect();
            code
        }
        "head" => lines(name, args, &paths, invocation, io),
        "touch" => {
            for path in paths
                .iter()
                .filter(|path| io.files.read(path).is_none())
                .cloned()
                .collect::<Vec<_>>()
            {
                io.files.write(&path, b"");
            }
            0
        }
        "rm" => {
            let forced = options.iter().any(|option| option.contains('f'));
            remove(&paths, forced, invocation, io)
        }
        "cp" | "mv" => match copy_paths(name, &paths, io) {
            Ok(()) => 0,
            Err(words) => {
                invocation.err = words;
                1
            }
        },
        "ls" => {
            let directory = paths.first().cloned().unwrap_or_else(|| view.directory.to_string());
            list(&directory, invocation, io)
        }
        "wc" => {
            let code = read_all(name, &paths, invocation, io);
            let text = std::mem::take(&mut invocation.out);
            invocation.out = format!("{}\n", text.lines().count());
            code
        }
        "grep" => {
            let quiet = options.iter().any(|option| option.contains('q'));
            let pattern = operands.first().map(|pattern| pattern.as_str()).unwrap_or_default();
            let code = read_all(name, paths.get(1..).unwrap_or_default(), invocation, io);
            let text = std::mem::take(&mut invocation.out);
            let found: Vec<&str> = text.lines().filter(|line| line.contains(pattern)).collect();
            if !quiet {
                invocation.out = found.iter().flat_map(|line| [*line, "\n"]).collect();
            }
            if code != 0 { 2 } else { i32::from(found.is_empty()) }
        }
        _ => return None,
    };
    Some(Outcome::Done(outcome))
}

fn missing(name: &str, path: &str) -> String {
    format!("{name}: can't open '{path}': No such file or directory\n")
}

/// Puts all files, or the input, into the output.
fn read_all(name: &str, paths: &[String], invocation: &mut Invocation, io: &Io<'_>) -> i32 {
    if paths.is_empty() {
        invocation.out = std::mem::take(&mut invocation.input);
    }
    let mut code = 0;
    for path in paths {
        if invocation.out.len() > MAX_OUTPUT_BYTES {
            break;
        }
        match io.files.read(path) {
            Some(content) => invocation.out.push_str(&String::from_utf8_lossy(content)),
            None if path == "/dev/null" => {}
            None => {
                invocation.err.push_str(&missing(name, path));
                code = 1;
            }
        }
    }
    code
}

/// The last lines of a file, and with `-f` whatever is added to it.
fn tail(
    args: &[String],
    options: &[&String],
    paths: &[String],
    invocation: &mut Invocation,
    io: &Io<'_>,
) -> Outcome {
    let option = |letter: char| options.iter().any(|option| option.contains(letter));
    let path = paths.last().cloned().unwrap_or_default();
    let code = lines("tail", args, paths, invocation, io);
    if !option('f') && !option('F') || (code != 0 && !option('F')) {
        return Outcome::Done(code);
    }
    if path == "/dev/null" {
        return Outcome::Forever;
    }
    let offset = io.files.read(&path).map_or(0, <[u8]>::len);
    let environment = Box::new(io.environment.clone());
    Outcome::Program { process: Box::new(Follow { path, offset }), exec: false, environment }
}

/// The first or last lines of a file.
fn lines(
    name: &str,
    args: &[String],
    paths: &[String],
    invocation: &mut Invocation,
    io: &Io<'_>,
) -> i32 {
    let given = args.iter().position(|word| word == "-n").and_then(|at| args.get(at + 1));
    let attached = args.iter().find_map(|word| {
        word.strip_prefix("-n").or(word.strip_prefix('-')).filter(|number| !number.is_empty())
    });
    let given = given.map(String::as_str);
    let count = given.or(attached).and_then(|number| number.parse().ok()).unwrap_or(10);
    let paths: Vec<String> =
        paths.iter().filter(|path| Some(path.trim_start_matches('/')) != given).cloned().collect();
    let code = read_all(name, &paths, invocation, io);
    let text = std::mem::take(&mut invocation.out);
    let all: Vec<&str> = text.lines().collect();
    let from = if name == "tail" { all.len().saturating_sub(count) } else { 0 };
    let chosen = all.iter().skip(from).take(count);
    invocation.out = chosen.flat_map(|line| [*line, "\n"]).collect();
    code
}

fn remove(paths: &[String], forced: bool, invocation: &mut Invocation, io: &mut Io<'_>) -> i32 {
    let mut code = 0;
    for path in paths {
        if !io.files.remove(path) && !forced {
            invocation
                .err
                .push_str(&format!("rm: can't remove '{path}': No such file or directory\n"));
            code = 1;
        }
    }
    code
}

/// `cp` or `mv` of one file, with the words of the command line; or what it complains of.
pub(crate) fn copy(words: &[String], io: &mut Io<'_>) -> Result<(), String> {
    let name = words.first().map(String::as_str).unwrap_or_default();
    let operands = words.iter().skip(1).filter(|word| !(word.len() > 1 && word.starts_with('-')));
    let directory = &io.environment.working_directory;
    let paths: Vec<String> = operands.map(|operand| absolute(directory, operand)).collect();
    copy_paths(name, &paths, io)
}

fn copy_paths(name: &str, paths: &[String], io: &mut Io<'_>) -> Result<(), String> {
    let [from, to] = paths else {
        return Err(format!("{name}: needs a source and a target\n"));
    };
    let content = io.files.read(from).map(<[u8]>::to_vec).ok_or_else(|| missing(name, from))?;
    io.files.write(to, &content);
    if name == "mv" {
        io.files.remove(from);
    }
    Ok(())
}

fn list(directory: &str, invocation: &mut Invocation, io: &Io<'_>) -> i32 {
    if io.files.read(directory).is_some() {
        invocation.out = format!("{directory}\n");
        return 0;
    }
    if !io.files.exists(directory) && directory != "/" {
        invocation.err = format!("ls: {directory}: No such file or directory\n");
        return 1;
    }
    invocation.out = io.files.list(directory).iter().flat_map(|name| [name, "\n"]).collect();
    0
}
