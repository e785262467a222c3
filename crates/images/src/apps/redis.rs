//! Redis: the server as far as examples ask it, and `redis-cli`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use network::Payload;
use runtime::{Environment, Flow, Io, Process, ProcessEvent, Signal};
use sim::{Digest, Digestible, Duration, OrdMap};

use super::{PLAIN, flag};
use crate::catalogue::ImageDefinition;
use crate::net::{Arrived, Call, CallError, DialError, Host, Reply, Service, Tidy};
use crate::tags::Tags;

const PORT: u16 = 6379;
/// More keys are not taken: what examples store is small.
const MAX_KEYS: usize = 10_000;
const MAX_ITEMS: usize = 10_000;

/// `redis`.
pub(crate) static IMAGE: ImageDefinition = ImageDefinition {
    repository: "docker.io/library/redis",
    tags: Tags::Released {
        newest: &[(2, 8), (3, 2), (4, 0), (5, 0), (6, 2), (7, 4), (8, 8)],
        words: &["latest"],
        variants: &["alpine", "bookworm", "bullseye", "buster", "trixie", "32bit"],
    },
    sizes: &[("alpine", 17_000_000), ("", 45_000_000)],
    entrypoint: &["docker-entrypoint.sh"],
    command: &["redis-server"],
    program: |name, environment| match (name, environment.argv.get(1).map(String::as_str)) {
        ("redis-server", _) | ("docker-entrypoint.sh", None | Some("redis-server")) => server(),
        ("redis-cli", _) => client(environment),
        _ => None,
    },
    ..PLAIN
};

/// The guestbook's followers, which run the same server.
pub(crate) static FOLLOWER: ImageDefinition = ImageDefinition {
    repository: "gcr.io/google_samples/gb-redis-follower",
    sizes: &[("", 38_000_000)],
    command: &["/run.sh"],
    program: |name, environment| match name {
        "run.sh" | "redis-server" => server(),
        "redis-cli" => client(environment),
        _ => None,
    },
    ..PLAIN
};

/// The server.
pub(super) fn server() -> Option<Box<dyn Process>> {
    Some(Host::start(Redis::default()))
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Text(String),
    List(VecDeque<String>),
    Hash(BTreeMap<String, String>),
}

#[derive(Clone, Debug, Default)]
struct Redis {
    values: OrdMap<String, Value>,
    port: u16,
}

/// The words of a command, written out or as redis' clients write them.
pub(super) fn command_words(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    if !text.starts_with('*') {
        return text.split_ascii_whitespace().map(|word| word.trim_matches('"').into()).collect();
    }
    // `*2`, then for each word its length and the word.
    text.split("\r\n").skip(1).skip(1).step_by(2).map(str::to_string).collect()
}

/// A command as redis' clients write it.
pub(super) fn command(words: &[&str]) -> Payload {
    let mut text = format!("*{}\r\n", words.len());
    for word in words {
        text.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    bytes(&text)
}

/// A text as it goes over a connection.
pub(super) fn bytes(text: &str) -> Payload {
    Payload::Bytes(Arc::from(text.as_bytes()))
}

fn bulk(value: Option<&String>) -> String {
    value.map_or("$-1\r\n".to_string(), |value| format!("${}\r\n{value}\r\n", value.len()))
}

fn array<'a>(values: impl Iterator<Item = &'a String>) -> String {
    let values: Vec<String> = values.map(|value| bulk(Some(value))).collect();
    format!("*{}\r\n{}", values.len(), values.concat())
}

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

impl Redis {
    fn text(&mut self, key: &str) -> Option<&mut String> {
        if !self.values.contains_key(key) && self.values.len() >= MAX_KEYS {
            return None;
        }
        let value =
            self.values.entry(key.to_string()).or_insert_with(|| Value::Text(String::new()));
        match value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    fn list(&mut self, key: &str) -> Option<&mut VecDeque<String>> {
        let empty = || Value::List(VecDeque::new());
        match self.values.entry(key.to_string()).or_insert_with(empty) {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    fn hash(&mut self, key: &str) -> Option<&mut BTreeMap<String, String>> {
        let empty = || Value::Hash(BTreeMap::new());
        match self.values.entry(key.to_string()).or_insert_with(empty) {
            Value::Hash(hash) => Some(hash),
            _ => None,
        }
    }

    fn add(&mut self, key: &str, more: i64) -> String {
        let Some(text) = self.text(key) else { return WRONG_TYPE.to_string() };
        let number: Option<i64> = if text.is_empty() { Some(0) } else { text.parse().ok() };
        let Some(sum) = number.and_then(|number| number.checked_add(more)) else {
            return "-ERR value is not an integer or out of range\r\n".to_string();
        };
        *text = sum.to_string();
        format!(":{sum}\r\n")
    }

    fn execute(&mut self, words: &[String]) -> String {
        let name = words.first().map(|word| word.to_ascii_uppercase()).unwrap_or_default();
        let args: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
        match (name.as_str(), args.as_slice()) {
            ("PING", []) => "+PONG\r\n".to_string(),
            ("PING" | "ECHO", [text, ..]) => bulk(Some(&(*text).to_string())),
            ("SET", [key, value, ..]) => match self.text(key) {
                Some(text) => {
                    *text = (*value).to_string();
                    "+OK\r\n".to_string()
                }
                None => WRONG_TYPE.to_string(),
            },
            ("GET", [key]) => match self.values.get(*key) {
                None => bulk(None),
                Some(Value::Text(text)) => bulk(Some(text)),
                Some(_) => WRONG_TYPE.to_string(),
            },
            ("INCR", [key]) => self.add(key, 1),
            ("DECR", [key]) => self.add(key, -1),
            ("INCRBY", [key, more]) => self.add(key, more.parse().unwrap_or(0)),
            ("APPEND", [key, more]) => match self.text(key) {
                Some(text) if text.len() < 1 << 16 => {
                    text.push_str(more);
                    format!(":{}\r\n", text.len())
                }
                _ => WRONG_TYPE.to_string(),
            },
            ("DEL" | "EXISTS", keys) => {
                let found = keys.iter().filter(|key| match name.as_str() {
                    "DEL" => self.values.remove(**key).is_some(),
                    _ => self.values.contains_key(**key),
                });
                format!(":{}\r\n", found.count())
            }
            ("KEYS", _) => array(self.values.keys()),
            ("DBSIZE", _) => format!(":{}\r\n", self.values.len()),
            ("FLUSHALL" | "FLUSHDB", _) => {
                self.values = OrdMap::new();
                "+OK\r\n".to_string()
            }
            ("INFO", _) => bulk(Some(
                &"# Server\r\nredis_version:8.0.0\r\n# Replication\r\nrole:master\r\n".to_string(),
            )),
            ("AUTH" | "SELECT" | "CONFIG" | "EXPIRE" | "CLIENT", _) => "+OK\r\n".to_string(),
            ("LPUSH" | "RPUSH" | "LPOP" | "RPOP" | "LLEN" | "LRANGE", [key, rest @ ..]) => {
                self.execute_list(&name, key, rest)
            }
            (name, [key, rest @ ..]) if name.starts_with('H') => self.execute_hash(name, key, rest),
            (name, _) => format!("-ERR unknown command '{name}'\r\n"),
        }
    }

    fn execute_list(&mut self, name: &str, key: &str, args: &[&str]) -> String {
        let Some(list) = self.list(key) else { return WRONG_TYPE.to_string() };
        let answer = match name {
            "LPUSH" | "RPUSH" => {
                for value in args {
                    if list.len() < MAX_ITEMS {
                        match name {
                            "LPUSH" => list.push_front((*value).to_string()),
                            _ => list.push_back((*value).to_string()),
                        }
                    }
                }
                format!(":{}\r\n", list.len())
            }
            "LPOP" => bulk(list.pop_front().as_ref()),
            "RPOP" => bulk(list.pop_back().as_ref()),
            "LRANGE" => array(list.iter()),
            _ => format!(":{}\r\n", list.len()),
        };
        if list.is_empty() {
            self.values.remove(key);
        }
        answer
    }

    fn execute_hash(&mut self, name: &str, key: &str, args: &[&str]) -> String {
        let Some(hash) = self.hash(key) else { return WRONG_TYPE.to_string() };
        let answer = match (name, args) {
            ("HSET", pairs) => {
                let before = hash.len();
                for pair in pairs.chunks_exact(2) {
                    if hash.len() < MAX_ITEMS {
                        hash.insert(pair[0].to_string(), pair[1].to_string());
                    }
                }
                format!(":{}\r\n", hash.len() - before)
            }
            ("HGET", [field]) => bulk(hash.get(*field)),
            ("HDEL", [field]) => format!(":{}\r\n", i32::from(hash.remove(*field).is_some())),
            ("HLEN", _) => format!(":{}\r\n", hash.len()),
            ("HGETALL", _) => array(hash.iter().flat_map(|(name, value)| [name, value])),
            ("HINCRBY", [field, more]) => {
                let value = hash.entry((*field).to_string()).or_insert_with(|| "0".to_string());
                let (old, more): (i64, i64) =
                    (value.parse().unwrap_or(0), more.parse().unwrap_or(0));
                *value = old.saturating_add(more).to_string();
                format!(":{value}\r\n")
            }
            _ => format!("-ERR unknown command '{name}'\r\n"),
        };
        if hash.is_empty() {
            self.values.remove(key);
        }
        answer
    }
}

impl Digestible for Value {
    fn digest(&self, digest: &mut Digest) {
        match self {
            Value::Text(text) => digest.str(text),
            Value::List(list) => list.iter().for_each(|value| digest.str(value)),
            Value::Hash(hash) => digest.add(hash),
        }
    }
}

impl Service for Redis {
    fn begin(&mut self, io: &mut Io<'_>) -> Result<Vec<u16>, i32> {
        let argv = &io.environment.argv;
        let file = argv.iter().skip(1).find(|word| word.ends_with(".conf"));
        let content = file.and_then(|path| io.files.read(path)).unwrap_or_default();
        let content = String::from_utf8_lossy(content).into_owned();
        if let Some(path) = file
            && io.files.read(path).is_none()
        {
            io.stdout(&format!(
                "*** FATAL CONFIG FILE ERROR ***\nReading the configuration file, at line 0\n>>> \
                 can't open config file '{path}'\n"
            ));
            return Err(1);
        }
        let listed = content.lines().find_map(|line| line.strip_prefix("port "));
        let port = flag(io.environment, "port").or(listed);
        self.port = port.and_then(|port| port.trim().parse().ok()).unwrap_or(PORT);
        let time = io.clock.timestamp(io.now).strftime("%d %b %Y %H:%M:%S.000").to_string();
        io.stdout(&format!(
            "1:C {time} * oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo\n1:M {time} * Running \
             mode=standalone, port={}.\n1:M {time} * Server initialized\n1:M {time} * Ready to \
             accept connections tcp\n",
            self.port
        ));
        Ok(vec![self.port])
    }

    fn serve(&mut self, arrived: &Arrived, _io: &mut Io<'_>) -> Reply {
        match &arrived.payload {
            Payload::Bytes(text) => Reply::Send(bytes(&self.execute(&command_words(text)))),
            Payload::Empty => Reply::Silence,
            _ => Reply::Finish(bytes("-ERR unknown command\r\n")),
        }
    }

    fn signalled(&mut self, signal: Signal, io: &mut Io<'_>) -> Option<Tidy> {
        let ends = matches!(signal, Signal::Term | Signal::Int);
        if ends {
            io.stdout(
                "1:M * User requested shutdown...\n1:M # Redis is now ready to exit, bye bye...\n",
            );
        }
        ends.then_some(Tidy { drain: Duration::from_millis(5), code: 0 })
    }

    fn clone_service(&self) -> Box<dyn Service> {
        Box::new(self.clone())
    }

    fn digest(&self, digest: &mut Digest) {
        digest.str("redis");
        digest.u64(u64::from(self.port));
        for (key, value) in &self.values {
            digest.str(key);
            digest.add(value);
        }
    }
}

/// What a server answered, as `redis-cli` prints it to a file.
fn printed(answer: &str) -> String {
    let (kind, rest) = answer.split_at(answer.len().min(1));
    let mut lines = rest.split("\r\n");
    match kind {
        "+" | ":" | "-" => format!("{}\n", lines.next().unwrap_or_default()),
        "$" if rest.starts_with("-1") => "\n".to_string(),
        "$" => format!("{}\n", lines.nth(1).unwrap_or_default()),
        _ => lines.skip(2).step_by(2).map(|line| format!("{line}\n")).collect(),
    }
}

fn client(environment: &Environment) -> Option<Box<dyn Process>> {
    let mut words = environment.argv.iter().skip(1).peekable();
    let (mut host, mut port) = ("127.0.0.1".to_string(), PORT);
    while let Some(option) = words.next_if(|word| word.starts_with('-')) {
        match option.as_str() {
            "-h" => host = words.next()?.clone(),
            "-p" => port = words.next()?.parse().ok()?,
            "-a" | "-n" | "--user" | "--pass" => drop(words.next()),
            _ => {}
        }
    }
    let words: Vec<&str> = words.map(String::as_str).collect();
    let words = if words.is_empty() { vec!["PING"] } else { words };
    let printer = |answer: &Payload| match answer {
        Payload::Bytes(text) => printed(&String::from_utf8_lossy(text)),
        _ => "Error: Protocol error, got something else than RESP\n".to_string(),
    };
    let failed = |host: &str, port: u16, error: &CallError| {
        let why = match error {
            CallError::Dial(DialError::Name(_)) => "Name or service not known",
            CallError::Dial(DialError::Refused(_)) => "Connection refused",
            CallError::Broken(_) => "Server closed the connection",
            _ => "Connection timed out",
        };
        format!("Could not connect to Redis at {host}:{port}: {why}\n")
    };
    Some(Box::new(Ask {
        host,
        port,
        request: command(&words),
        call: None,
        printer,
        failed,
        code: 1,
    }))
}

/// A program that asks once and prints the answer.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) request: Payload,
    pub(super) call: Option<Call>,
    pub(super) printer: fn(&Payload) -> String,
    pub(super) failed: fn(&str, u16, &CallError) -> String,
    /// The exit code when nobody answers.
    pub(super) code: i32,
}

impl Process for Ask {
    fn on(&mut self, event: ProcessEvent, io: &mut Io<'_>) -> Flow {
        if event == ProcessEvent::Started {
            let limit = Some(Duration::from_secs(30));
            self.call = Some(Call::begin((&self.host, self.port), self.request.clone(), limit, io));
        }
        let Some(call) = &mut self.call else { return Flow::Exit(self.code) };
        if let ProcessEvent::Signal(signal) = event {
            call.cancel(io);
            return Flow::Exit(signal.exit_code());
        }
        match call.poll(&event, io) {
            None => call.next_wake().map_or(Flow::Continue, Flow::WaitUntil),
            Some(Ok((answer, socket, _))) => {
                io.network.close(socket);
                io.stdout(&(self.printer)(&answer));
                Flow::Exit(0)
            }
            Some(Err(error)) => {
                io.stderr(&(self.failed)(&self.host, self.port, &error));
                Flow::Exit(self.code)
            }
        }
    }

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }

    fn digest(&self, digest: &mut Digest) {
        digest.str(&self.host);
        digest.add(&self.request);
        if let Some(call) = &self.call {
            digest.add(call);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Upstream: the examples of redis.io/commands.
    #[test]
    fn commands_answer_as_redis_documents_them() {
        let mut redis = Redis::default();
        for (text, want) in [
            ("PING", "+PONG\r\n"),
            ("SET mykey Hello", "+OK\r\n"),
            ("GET mykey", "$5\r\nHello\r\n"),
            ("GET nosuch", "$-1\r\n"),
            ("INCR counter", ":1\r\n"),
            ("INCRBY counter 9", ":10\r\n"),
            ("INCR mykey", "-ERR value is not an integer or out of range\r\n"),
            ("HSET myhash field1 Hello field2 World", ":2\r\n"),
            ("HGET myhash field2", "$5\r\nWorld\r\n"),
            (
                "HGETALL myhash",
                "*4\r\n$6\r\nfield1\r\n$5\r\nHello\r\n$6\r\nfield2\r\n$5\r\nWorld\r\n",
            ),
            ("GET myhash", WRONG_TYPE),
            ("RPUSH votes a b", ":2\r\n"),
            ("LPOP votes", "$1\r\na\r\n"),
            ("LLEN votes", ":1\r\n"),
            ("EXISTS mykey nosuch", ":1\r\n"),
            ("DEL mykey myhash nosuch", ":2\r\n"),
            ("NOSUCH", "-ERR unknown command 'NOSUCH'\r\n"),
        ] {
            assert_eq!(redis.execute(&command_words(text.as_bytes())), want, "{text}");
        }
    }

    #[test]
    fn clients_words_arrive_as_they_were_meant() {
        let Payload::Bytes(text) = command(&["SET", "a key", "its value"]) else {
            panic!("bytes");
        };
        assert_eq!(command_words(&text), ["SET", "a key", "its value"]);
        assert_eq!(printed("*2\r\n$1\r\na\r\n$1\r\nb\r\n"), "a\nb\n");
        assert_eq!(printed("$-1\r\n"), "\n");
    }
}
