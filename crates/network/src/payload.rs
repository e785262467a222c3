//! What packets carry, structured; encoded to bytes only where somebody wants to see bytes.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use sim::{Digest, Digestible};

/// What a segment or datagram carries. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Payload {
    /// Nothing.
    #[default]
    Empty,
    /// Bytes as they are: what `nc`, redis or a database say.
    Bytes(Arc<[u8]>),
    /// An HTTP request; a gRPC call is one too (`content-type: application/grpc`).
    HttpRequest(Arc<HttpRequest>),
    /// An HTTP response.
    HttpResponse(Arc<HttpResponse>),
    /// A question to or an answer of a name server.
    Dns(Arc<DnsMessage>),
}

/// An HTTP request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpRequest {
    /// `GET`
    pub method: String,
    /// With its query: `/cart?id=1`.
    pub path: String,
    /// By lower-case name.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
}

/// An HTTP response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpResponse {
    /// 200, 404 …
    pub status: u16,
    /// By lower-case name.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
}

/// A DNS message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsMessage {
    /// Ties an answer to its question.
    pub id: u16,
    /// Whether it is an answer.
    pub is_response: bool,
    /// 0 NOERROR, 2 SERVFAIL, 3 NXDOMAIN, 5 REFUSED.
    pub code: u8,
    /// Whether the server answers for its own zone.
    pub authoritative: bool,
    /// What is asked.
    pub question: DnsQuestion,
    /// The answers.
    pub answers: Vec<DnsRecord>,
}

/// What is asked of a name server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsQuestion {
    /// Fully qualified, with the dot at its end, in lower case.
    pub name: String,
    /// `A`, `AAAA`, `SRV`, `PTR`, `CNAME`, `TXT`.
    pub record_type: String,
}

/// A record of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DnsRecord {
    /// An address.
    A {
        /// Whose.
        name: String,
        /// Seconds to live.
        ttl: u32,
        /// The address.
        address: Ipv4Addr,
    },
    /// Another name.
    Cname {
        /// Whose.
        name: String,
        /// Seconds to live.
        ttl: u32,
        /// The other name.
        target: String,
    },
    /// Where a service is.
    Srv {
        /// Whose.
        name: String,
        /// Seconds to live.
        ttl: u32,
        /// Lower first.
        priority: u16,
        /// Share among equals.
        weight: u16,
        /// The port.
        port: u16,
        /// The host.
        target: String,
    },
    /// The name of an address.
    Ptr {
        /// Whose.
        name: String,
        /// Seconds to live.
        ttl: u32,
        /// The name.
        target: String,
    },
}

impl Payload {
    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Payload::Empty
    }

    /// About how many bytes it would have on the wire.
    #[must_use]
    pub fn length(&self) -> u64 {
        let bytes = match self {
            Payload::Empty => 0,
            Payload::Bytes(bytes) => bytes.len(),
            Payload::HttpRequest(request) => 40 + request.path.len() + request.body.len(),
            Payload::HttpResponse(response) => 60 + response.body.len(),
            Payload::Dns(message) => 20 + message.question.name.len() + 16 * message.answers.len(),
        };
        bytes as u64
    }

    /// What it says, in a few words; nothing for what has no form.
    #[must_use]
    pub fn summary(&self) -> Option<String> {
        match self {
            Payload::Empty => None,
            Payload::Bytes(bytes) => Some(format!("{} bytes", bytes.len())),
            Payload::HttpRequest(request) => {
                Some(format!("HTTP {} {}", request.method, request.path))
            }
            Payload::HttpResponse(response) => Some(format!("HTTP {}", response.status)),
            Payload::Dns(message) => {
                let DnsQuestion { name, record_type } = &message.question;
                Some(match (message.is_response, message.code) {
                    (false, _) => format!("DNS {record_type} {name}"),
                    (true, 0) => format!("DNS {name}: {} answers", message.answers.len()),
                    (true, 2) => format!("DNS {name}: SERVFAIL"),
                    (true, 3) => format!("DNS {name}: NXDOMAIN"),
                    (true, 5) => format!("DNS {name}: REFUSED"),
                    (true, code) => format!("DNS {name}: code {code}"),
                })
            }
        }
    }
}

fn digest_headers(digest: &mut Digest, headers: &BTreeMap<String, String>) {
    digest.add(headers);
}

impl Digestible for Payload {
    fn digest(&self, digest: &mut Digest) {
        match self {
            Payload::Empty => digest.u64(0),
            Payload::Bytes(bytes) => {
                digest.u64(1);
                digest.u64(bytes.len() as u64);
                for byte in bytes.iter() {
                    digest.u64(u64::from(*byte));
                }
            }
            Payload::HttpRequest(request) => {
                digest.u64(2);
                digest.str(&request.method);
                digest.str(&request.path);
                digest_headers(digest, &request.headers);
                digest.str(&request.body);
            }
            Payload::HttpResponse(response) => {
                digest.u64(3);
                digest.u64(u64::from(response.status));
                digest_headers(digest, &response.headers);
                digest.str(&response.body);
            }
            Payload::Dns(message) => {
                digest.u64(4);
                digest.u64(u64::from(message.id));
                digest.bool(message.is_response);
                digest.u64(u64::from(message.code));
                digest.bool(message.authoritative);
                digest.str(&message.question.name);
                digest.str(&message.question.record_type);
                digest.add(&message.answers);
            }
        }
    }
}

impl Digestible for DnsRecord {
    fn digest(&self, digest: &mut Digest) {
        let (kind, name, ttl) = match self {
            DnsRecord::A { name, ttl, .. } => (1, name, ttl),
            DnsRecord::Cname { name, ttl, .. } => (5, name, ttl),
            DnsRecord::Ptr { name, ttl, .. } => (12, name, ttl),
            DnsRecord::Srv { name, ttl, .. } => (33, name, ttl),
        };
        digest.u64(kind);
        digest.str(name);
        digest.add(ttl);
        match self {
            DnsRecord::A { address, .. } => digest.u64(u64::from(u32::from(*address))),
            DnsRecord::Cname { target, .. } | DnsRecord::Ptr { target, .. } => digest.str(target),
            DnsRecord::Srv { priority, weight, port, target, .. } => {
                for number in [priority, weight, port] {
                    digest.u64(u64::from(*number));
                }
                digest.str(target);
            }
        }
    }
}
