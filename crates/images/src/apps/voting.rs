//! Docker's example voting app: who votes goes through a queue into a database.
//!
//! Upstream: dockersamples/example-voting-app.

use std::sync::Arc;

use network::{HttpResponse, Payload, SocketId};
use runtime::{Environment, Flow, Io, Process, ProcessEvent};
use sim::{Digest, Duration, Time};

use super::redis::{bytes, command};
use super::{Asked, PLAIN, SITE, Site, State, port_from, start};
use crate::catalogue::ImageDefinition;
use crate::net::{Call, CallError, CallResult, Reply, Step, page, text};

/// `dockersamples/examplevotingapp_vote`.
pub(crate) static VOTE: ImageDefinition = ImageDefinition {
    repository: "docker.io/dockersamples/examplevotingapp_vote",
    sizes: &[("", 55_000_000)],
    command: &["gunicorn", "app:app", "-b", "0.0.0.0:80"],
    program: |name, _| {
        let site = Site {
            name: "vote",
            ports: |io| {
                io.stderr("[INFO] Starting gunicorn\n[INFO] Listening at: http://0.0.0.0:80 (1)\n");
                Ok(vec![80])
            },
            answer: vote,
            failed: |_, _, io| {
                io.stderr(
                    "[ERROR] in app: Exception on / [POST]\nredis.exceptions.ConnectionError\n",
                );
                Some(text(500, "Internal Server Error\n"))
            },
            ..SITE
        };
        (name == "gunicorn").then(|| start(&site)).flatten()
    },
    ..PLAIN
};

/// `dockersamples/examplevotingapp_result`.
pub(crate) static RESULT: ImageDefinition = ImageDefinition {
    repository: "docker.io/dockersamples/examplevotingapp_result",
    sizes: &[("", 80_000_000)],
    command: &["node", "server.js"],
    program: |name, _| {
        let site = Site {
            name: "result",
            ports: |io| {
                let port = port_from(io.environment, "PORT", 80);
                io.stdout(&format!("App running on port {port}\n"));
                Ok(vec![port])
            },
            answer: |_, asked, _| match asked.path {
                "/" => Reply::Ask {
                    steps: vec![step("db", 5432, bytes("COUNT"))],
                    limit: Duration::from_secs(10),
                    then: Payload::Empty,
                },
                _ => Reply::Send(text(404, "Cannot GET\n")),
            },
            failed: |_, _, io| {
                io.stderr("Waiting for db\n");
                Some(results("").into_payload())
            },
            answered: |counts| Some(results(counts).into_payload()),
            ..SITE
        };
        (name == "node").then(|| start(&site)).flatten()
    },
    ..PLAIN
};

/// `dockersamples/examplevotingapp_worker`.
pub(crate) static WORKER: ImageDefinition = ImageDefinition {
    repository: "docker.io/dockersamples/examplevotingapp_worker",
    sizes: &[("", 75_000_000)],
    entrypoint: &["dotnet", "Worker.dll"],
    program: |name, _: &Environment| {
        (name == "dotnet").then(|| Box::new(Worker::default()) as Box<dyn Process>)
    },
    ..PLAIN
};

trait IntoPayload {
    fn into_payload(self) -> Payload;
}

impl IntoPayload for HttpResponse {
    fn into_payload(self) -> Payload {
        Payload::HttpResponse(Arc::new(self))
    }
}

fn step(host: &str, port: u16, request: Payload) -> Step {
    Step { host: host.to_string(), port, request, origin: "" }
}

fn vote(state: &mut State, asked: &Asked<'_>, io: &mut Io<'_>) -> Reply {
    let options = [("OPTION_A", "Cats"), ("OPTION_B", "Dogs")].map(|(name, default)| {
        io.environment.variables.get(name).cloned().unwrap_or_else(|| default.to_string())
    });
    let body = format!(
        "<!DOCTYPE html>\n<html>\n<head>\n<title>{0} vs {1}!</title>\n</head>\n<body>\n<h3>{0} vs \
         {1}!</h3>\n<form method=\"POST\"><button name=\"vote\" value=\"a\">{0}</button>\n<button \
         name=\"vote\" value=\"b\">{1}</button></form>\n<p>Processed by container ID {2}</p>\n\
         </body>\n</html>\n",
        options[0], options[1], io.environment.hostname
    );
    let page = page(200, "text/html; charset=utf-8", body).into_payload();
    if asked.request.method != "POST" {
        return Reply::Send(page);
    }
    let choice = asked.request.body.split('&').find_map(|pair| pair.strip_prefix("vote="));
    let choice = choice.unwrap_or("a").to_string();
    io.stdout(&format!("Received vote for {choice}\n"));
    // A vote is the voter's; without a cookie each is another voter's.
    let voter = asked.request.headers.get("cookie").cloned();
    let voter = voter.unwrap_or_else(|| format!("{}-{}", io.environment.hostname, state.served));
    let vote = format!("{} {choice}", voter.replace(' ', ""));
    let steps = vec![step("redis", 6379, command(&["RPUSH", "votes", &vote]))];
    Reply::Ask { steps, limit: Duration::from_secs(5), then: page }
}

/// The page with the counts, which come as lines `choice count`.
fn results(counts: &str) -> HttpResponse {
    let count = |choice: &str| {
        let mut lines = counts.lines().filter_map(|line| line.split_once(' '));
        lines.find(|(own, _)| *own == choice).map_or("0", |(_, count)| count).to_string()
    };
    let body = format!(
        "<!DOCTYPE html>\n<html>\n<head>\n<title>Cats vs Dogs -- Result</title>\n</head>\n<body>\n\
         <p>Cats: {}</p>\n<p>Dogs: {}</p>\n</body>\n</html>\n",
        count("a"),
        count("b")
    );
    page(200, "text/html; charset=utf-8", body)
}

/// How often the worker looks into the queue, and how long it waits for who is not there.
const PAUSE: Duration = Duration::from_secs(1);

/// Takes votes out of the queue and puts them into the database.
#[derive(Clone, Debug, Default)]
struct Worker {
    /// The connections to the queue and to the database, as far as they stand.
    connections: [Option<(SocketId, std::net::SocketAddrV4)>; 2],
    call: Option<Call>,
    /// Which of the two is asked.
    asks: usize,
    next: Time,
}

const PEERS: [(&str, u16, &str); 2] = [("redis", 6379, "redis"), ("db", 5432, "db")];

impl Worker {
    fn ask(&mut self, peer: usize, request: Payload, io: &mut Io<'_>) {
        let (host, port, _) = PEERS[peer];
        let limit = Some(Duration::from_secs(5));
        self.asks = peer;
        let standing = self.connections[peer].take();
        let over = standing.and_then(|socket| Call::over(socket, request.clone(), limit, io));
        self.call = Some(over.unwrap_or_else(|| Call::begin((host, port), request, limit, io)));
    }

    fn finished(&mut self, result: CallResult, io: &mut Io<'_>) {
        let (answer, socket, peer) = match result {
            Ok(answered) => answered,
            Err(error) => {
                if !matches!(error, CallError::Broken(_)) {
                    io.stderr(&format!("Waiting for {}\n", PEERS[self.asks].2));
                }
                self.next = io.now + PAUSE;
                return;
            }
        };
        self.connections[self.asks] = Some((socket, peer));
        self.next = io.now + PAUSE;
        let Payload::Bytes(text) = answer else { return };
        let text = String::from_utf8_lossy(&text).into_owned();
        if self.asks == 0
            && let Some((voter, choice)) = text.split("\r\n").nth(1).and_then(|v| v.split_once(' '))
        {
            io.stdout(&format!("Processing vote for '{choice}' by '{voter}'\n"));
            self.ask(1, bytes(&format!("PUT {voter} {choice}")), io);
        } else if self.asks == 1 && text.starts_with("INSERT") {
            // There may be more in the queue.
            self.ask(0, command(&["LPOP", "votes"]), io);
        }
    }
}

impl Process for Worker {
    fn on(&mut self, event: ProcessEvent, io: &mut Io<'_>) -> Flow {
        if let ProcessEvent::Signal(signal) = event {
            return Flow::Exit(signal.exit_code());
        }
        if let Some(call) = &mut self.call {
            if let Some(result) = call.poll(&event, io) {
                self.call = None;
                self.finished(result, io);
            }
        } else if self.next <= io.now {
            // Without the database no vote is taken out of the queue.
            match self.connections[1] {
                None => self.ask(1, bytes("PING"), io),
                Some(_) => self.ask(0, command(&["LPOP", "votes"]), io),
            }
        }
        let wake = self.call.as_ref().map_or(Some(self.next), Call::next_wake);
        wake.map_or(Flow::Continue, Flow::WaitUntil)
    }

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }

    fn digest(&self, digest: &mut Digest) {
        digest.str("worker");
        digest.add(&self.next);
        digest.u64(self.asks as u64);
        for connection in self.connections {
            digest.u64(connection.map_or(0, |(socket, _)| socket.0));
        }
        if let Some(call) = &self.call {
            digest.add(call);
        }
    }
}
