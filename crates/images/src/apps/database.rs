//! Databases: what they need to start, how long that takes, and that they answer. What clients
//! store in them is one table of votes and texts; SQL is not simulated.

use std::collections::BTreeMap;

use network::Payload;
use runtime::{Environment, Io, Process, Signal};
use sim::{Digest, Duration, SmallMap};

use super::redis::{Ask, bytes};
use super::{PLAIN, flag};
use crate::catalogue::ImageDefinition;
use crate::net::{Arrived, CallError, Host, Reply, Service, Tidy};
use crate::tags::Tags;

/// What is known of a database.
#[derive(Debug)]
struct Kind {
    /// The server's program and the script that the image begins with.
    programs: &'static [&'static str],
    port: u16,
    /// Variables of which one must be set, and what is said otherwise.
    required: &'static [&'static str],
    missing: &'static str,
    /// What is said first, when it listens, and how long that takes.
    begins: &'static str,
    ready: &'static str,
    warm_up: Duration,
    /// The program that asks whether it is up, with what it says then and otherwise.
    ping: &'static [&'static str],
    alive: &'static str,
    dead: &'static str,
    dead_code: i32,
}

const MYSQL: Kind = Kind {
    programs: &["mysqld", "docker-entrypoint.sh"],
    port: 3306,
    required: &["MYSQL_ROOT_PASSWORD", "MYSQL_ALLOW_EMPTY_PASSWORD", "MYSQL_RANDOM_ROOT_PASSWORD"],
    missing: "[ERROR] [Entrypoint]: Database is uninitialized and password option is not specified\
              \n    You need to specify one of the following as an environment variable:\n    - \
              MYSQL_ROOT_PASSWORD\n    - MYSQL_ALLOW_EMPTY_PASSWORD\n    - \
              MYSQL_RANDOM_ROOT_PASSWORD\n",
    begins: "[Note] [Entrypoint]: Initializing database files\n",
    ready: "[System] [MY-010931] [Server] /usr/sbin/mysqld: ready for connections. port: 3306\n",
    warm_up: Duration::from_secs(8),
    ping: &["mysqladmin", "mysql"],
    alive: "mysqld is alive\n",
    dead: "mysqladmin: connect to server at 'localhost' failed\nerror: 'Can't connect to local \
           MySQL server through socket '/var/run/mysqld/mysqld.sock' (2)'\n",
    dead_code: 1,
};

const MARIADB: Kind = Kind {
    programs: &["mariadbd", "mysqld", "docker-entrypoint.sh"],
    required: &[
        "MARIADB_ROOT_PASSWORD",
        "MARIADB_ROOT_PASSWORD_HASH",
        "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD",
        "MARIADB_RANDOM_ROOT_PASSWORD",
        "MYSQL_ROOT_PASSWORD",
        "MYSQL_ALLOW_EMPTY_PASSWORD",
        "MYSQL_RANDOM_ROOT_PASSWORD",
    ],
    missing: "[ERROR] [Entrypoint]: Database is uninitialized and password option is not specified\
              \n\tYou need to specify one of MARIADB_ROOT_PASSWORD, MARIADB_ROOT_PASSWORD_HASH, \
              MARIADB_ALLOW_EMPTY_ROOT_PASSWORD and MARIADB_RANDOM_ROOT_PASSWORD\n",
    ping: &["mariadb-admin", "mysqladmin", "mariadb", "mysql"],
    ..MYSQL
};

const POSTGRES: Kind = Kind {
    programs: &["postgres", "docker-entrypoint.sh"],
    port: 5432,
    required: &["POSTGRES_PASSWORD", "POSTGRES_PASSWORD_FILE", "POSTGRES_HOST_AUTH_METHOD"],
    missing: "Error: Database is uninitialized and superuser password is not specified.\n       \
              You must specify POSTGRES_PASSWORD to a non-empty value for the\n       superuser. \
              For example, \"-e POSTGRES_PASSWORD=password\" on \"docker run\".\n\n       You may \
              also use \"POSTGRES_HOST_AUTH_METHOD=trust\" to allow all\n       connections without \
              a password. This is *not* recommended.\n\n       See PostgreSQL documentation about \
              \"trust\":\n       https://www.postgresql.org/docs/current/auth-trust.html\n",
    begins: "The files belonging to this database system will be owned by user \"postgres\".\n",
    ready: "LOG:  database system is ready to accept connections\n",
    warm_up: Duration::from_secs(3),
    ping: &["pg_isready", "psql"],
    alive: "/var/run/postgresql:5432 - accepting connections\n",
    dead: "/var/run/postgresql:5432 - no response\n",
    dead_code: 2,
};

const MONGO: Kind = Kind {
    programs: &["mongod", "docker-entrypoint.sh"],
    port: 27017,
    required: &[],
    missing: "",
    begins: "{\"s\":\"I\",\"c\":\"CONTROL\",\"msg\":\"MongoDB starting\"}\n",
    ready: "{\"s\":\"I\",\"c\":\"NETWORK\",\"msg\":\"Waiting for connections\",\"attr\":{\"port\":27017}}\n",
    warm_up: Duration::from_secs(2),
    ping: &["mongosh", "mongo"],
    alive: "{ ok: 1 }\n",
    dead: "MongoNetworkError: connect ECONNREFUSED 127.0.0.1:27017\n",
    dead_code: 1,
};

const MEMCACHED: Kind = Kind {
    programs: &["memcached", "docker-entrypoint.sh"],
    port: 11211,
    begins: "",
    ready: "",
    warm_up: Duration::from_millis(20),
    ping: &[],
    ..MONGO
};

const fn image(
    repository: &'static str,
    program: crate::userland::Lookup,
    command: &'static [&'static str],
    size: &'static [(&'static str, u64)],
) -> ImageDefinition {
    ImageDefinition {
        repository,
        sizes: size,
        entrypoint: &["docker-entrypoint.sh"],
        command,
        program,
        ..PLAIN
    }
}

const SQL: Tags = Tags::Released {
    newest: &[(5, 7), (8, 4), (9, 9)],
    words: &["latest", "lts", "innovation"],
    variants: &["debian", "oracle", "oraclelinux"],
};

/// `mysql`.
pub(crate) static MYSQL_IMAGE: ImageDefinition = ImageDefinition {
    tags: SQL,
    ..image(
        "docker.io/library/mysql",
        |name, environment| find(&MYSQL, name, environment),
        &["mysqld"],
        &[("5", 137_000_000), ("", 230_000_000)],
    )
};
/// `mariadb`.
pub(crate) static MARIADB_IMAGE: ImageDefinition = image(
    "docker.io/library/mariadb",
    |name, environment| find(&MARIADB, name, environment),
    &["mariadbd"],
    &[("", 105_000_000)],
);
/// `postgres`.
pub(crate) static POSTGRES_IMAGE: ImageDefinition = image(
    "docker.io/library/postgres",
    |name, environment| find(&POSTGRES, name, environment),
    &["postgres"],
    &[("", 160_000_000)],
);
/// `mongo`.
pub(crate) static MONGO_IMAGE: ImageDefinition = image(
    "docker.io/library/mongo",
    |name, environment| find(&MONGO, name, environment),
    &["mongod"],
    &[("", 270_000_000)],
);
/// `memcached`.
pub(crate) static MEMCACHED_IMAGE: ImageDefinition = image(
    "docker.io/library/memcached",
    |name, environment| find(&MEMCACHED, name, environment),
    &["memcached"],
    &[("", 32_000_000)],
);

fn find(kind: &'static Kind, name: &str, environment: &Environment) -> Option<Box<dyn Process>> {
    let server =
        Host::start(Database { kind, port: kind.port, rows: BTreeMap::new(), ready: false });
    if name == "docker-entrypoint.sh" {
        let first = environment.argv.get(1).map(String::as_str).unwrap_or_default();
        // Options alone are options of the server.
        let is_server = first.starts_with('-') || kind.programs.contains(&first);
        return is_server.then_some(server);
    }
    if kind.programs.contains(&name) {
        return Some(server);
    }
    kind.ping.contains(&name).then(|| ping(kind, name, environment))
}

/// Asks the server whether it is there.
fn ping(kind: &'static Kind, name: &str, environment: &Environment) -> Box<dyn Process> {
    let host = flag(environment, "h").or(flag(environment, "host"));
    let host = host.filter(|host| !host.starts_with('/')).unwrap_or("127.0.0.1").to_string();
    let port = flag(environment, "p").or(flag(environment, "port"));
    let port = port.and_then(|port| port.parse().ok()).unwrap_or(kind.port);
    let statement = flag(environment, "e").or(flag(environment, "c"));
    let asks = !matches!(name, "mysqladmin" | "mariadb-admin" | "pg_isready");
    let request = match statement.filter(|_| asks) {
        Some(statement) => bytes(&format!("Q{statement}")),
        None => bytes("PING"),
    };
    let printer = |answer: &Payload| match answer {
        Payload::Bytes(text) => String::from_utf8_lossy(text).into_owned(),
        _ => String::new(),
    };
    let failed: fn(&str, u16, &CallError) -> String = match kind.port {
        3306 => |_, _, _| MYSQL.dead.to_string(),
        5432 => |_, _, _| POSTGRES.dead.to_string(),
        _ => |_, _, _| MONGO.dead.to_string(),
    };
    let code = kind.dead_code;
    Box::new(Ask { host, port, request, call: None, printer, failed, code })
}

/// A database server.
#[derive(Clone, Debug)]
struct Database {
    kind: &'static Kind,
    port: u16,
    /// What has been stored, by key.
    rows: BTreeMap<String, String>,
    ready: bool,
}

const MAX_ROWS: usize = 10_000;

impl Database {
    /// `PUT key value`, `COUNT`: what the clients of this world say; anything else succeeds
    /// without rows.
    fn execute(&mut self, text: &str) -> String {
        let mut words = text.splitn(3, ' ');
        match (words.next(), words.next(), words.next()) {
            (Some("PING"), ..) => self.kind.alive.to_string(),
            (Some("PUT"), Some(key), Some(value)) => {
                if self.rows.len() < MAX_ROWS {
                    self.rows.insert(key.to_string(), value.to_string());
                }
                "INSERT 0 1\n".to_string()
            }
            (Some("COUNT"), ..) => {
                let mut counts: SmallMap<&String, u32> = SmallMap::new();
                for value in self.rows.values() {
                    *counts.entry(value).or_default() += 1;
                }
                counts.iter().map(|(value, count)| format!("{value} {count}\n")).collect()
            }
            _ if text.to_ascii_uppercase().contains("SELECT 1") => "1\n1\n".to_string(),
            _ => String::new(),
        }
    }
}

impl Service for Database {
    fn begin(&mut self, io: &mut Io<'_>) -> Result<Vec<u16>, i32> {
        let set =
            |name: &&&str| io.environment.variables.get(**name).is_some_and(|v| !v.is_empty());
        if !self.kind.required.is_empty() && self.kind.required.iter().find(set).is_none() {
            io.stderr(self.kind.missing);
            return Err(1);
        }
        let port = flag(io.environment, "port").and_then(|port| port.parse().ok());
        self.port = port.unwrap_or(self.kind.port);
        io.stdout(self.kind.begins);
        Ok(vec![self.port])
    }

    fn warm_up(&self) -> Duration {
        self.kind.warm_up
    }

    fn opened(&mut self, io: &mut Io<'_>) {
        self.ready = true;
        io.stderr(self.kind.ready);
    }

    fn serve(&mut self, arrived: &Arrived, _io: &mut Io<'_>) -> Reply {
        match &arrived.payload {
            Payload::Bytes(text) => {
                let text = String::from_utf8_lossy(text).into_owned();
                Reply::Send(bytes(&self.execute(&text)))
            }
            Payload::Empty => Reply::Silence,
            _ => Reply::Finish(Payload::Empty),
        }
    }

    fn signalled(&mut self, signal: Signal, _io: &mut Io<'_>) -> Option<Tidy> {
        let ends = matches!(signal, Signal::Term | Signal::Int | Signal::Quit);
        ends.then_some(Tidy { drain: Duration::from_millis(200), code: 0 })
    }

    fn clone_service(&self) -> Box<dyn Service> {
        Box::new(self.clone())
    }

    fn digest(&self, digest: &mut Digest) {
        digest.str(self.kind.programs[0]);
        digest.u64(u64::from(self.port));
        digest.add(&self.rows);
        digest.bool(self.ready);
    }
}
