//! A small static server for the site: right media types, a strict content security policy, the
//! precompressed form a client accepts. For the machine it runs on; it listens on loopback only.

use crate::dist::{self, Profile};
use crate::workspace::Workspace;
use crate::{process, setup};
use anyhow::{Result, anyhow};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use tiny_http::{Header, Method, Request, Response, Server, StatusCode};

/// Nothing from elsewhere, nothing inline; wasm may be compiled, and pages may frame this one.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; \
    style-src 'self'; connect-src 'self'; worker-src 'self'; img-src 'self' data:; \
    base-uri 'none'; form-action 'none'";

const WORKERS: usize = 4;

/// `cargo xtask serve`.
pub fn run(port: u16, dev: bool) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    setup::wasm_target(&workspace)?;
    let profile = if dev { Profile::Dev } else { Profile::Wasm };
    dist::build(&workspace, profile)?;
    let server = listen(port)?;
    println!("http://{}/", server.server_addr());
    if !dev {
        serve(&server, &workspace.dist());
        return Ok(ExitCode::SUCCESS);
    }
    process::announce("reload the page to rebuild it");
    for request in server.incoming_requests() {
        if site_path(request.url()).as_deref() == Some("index.html")
            && let Err(error) = dist::build(&workspace, profile)
        {
            eprintln!("xtask: {error:#}");
        }
        answer(request, &workspace.dist());
    }
    Ok(ExitCode::SUCCESS)
}

/// Serves `dist` on a free port from threads of this process; returns the address.
pub fn in_background(dist: PathBuf) -> Result<String> {
    let server = Arc::new(listen(0)?);
    let address = format!("http://{}/", server.server_addr());
    std::thread::spawn(move || serve(&server, &dist));
    Ok(address)
}

fn listen(port: u16) -> Result<Server> {
    Server::http(("127.0.0.1", port)).map_err(|error| {
        anyhow!("cannot listen on port {port}: {error}; choose another with --port")
    })
}

fn serve(server: &Server, dist: &Path) {
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                for request in server.incoming_requests() {
                    answer(request, dist);
                }
            });
        }
    });
}

fn answer(request: Request, dist: &Path) {
    let response = respond(&request, dist);
    // A client that went away is not our problem.
    let _ignored = request.respond(response);
}

fn respond(request: &Request, dist: &Path) -> Response<std::io::Cursor<Vec<u8>>> {
    if !matches!(request.method(), Method::Get | Method::Head) {
        return plain(405, "only GET and HEAD");
    }
    let Some(name) = site_path(request.url()) else { return plain(400, "no such path") };
    let path = dist.join(&name);
    let accepted = request
        .headers()
        .iter()
        .find(|header| header.field.equiv("Accept-Encoding"))
        .map_or("", |header| header.value.as_str());
    for (coding, extension) in [("br", "br"), ("gzip", "gz")] {
        if accepts(accepted, coding)
            && let Ok(bytes) = fs::read(dist::compressed(&path, extension))
        {
            return file(&name, bytes).with_header(header("Content-Encoding", coding));
        }
    }
    match fs::read(&path) {
        Ok(bytes) => file(&name, bytes),
        Err(_) => plain(404, "not found"),
    }
}

fn file(name: &str, bytes: Vec<u8>) -> Response<std::io::Cursor<Vec<u8>>> {
    Response::from_data(bytes)
        // Above this tiny_http would switch to chunks, which hides the length from the client.
        .with_chunked_threshold(usize::MAX)
        .with_header(header("Content-Type", media_type(name)))
        .with_header(header("Content-Security-Policy", CONTENT_SECURITY_POLICY))
        .with_header(header("X-Content-Type-Options", "nosniff"))
        .with_header(header("Referrer-Policy", "no-referrer"))
        .with_header(header("Vary", "Accept-Encoding"))
        .with_header(header("Cache-Control", "no-cache"))
}

fn plain(status: u16, text: &str) -> Response<std::io::Cursor<Vec<u8>>> {
    Response::from_string(text).with_status_code(StatusCode(status))
}

fn header(name: &str, value: &str) -> Header {
    Header::from_bytes(name, value).expect("header names and values here are ASCII constants")
}

/// The path inside the site that a request's target names; `None` for one that would leave it.
fn site_path(target: &str) -> Option<String> {
    let path = target.split(['?', '#']).next()?.strip_prefix('/')?;
    let safe = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    if path.is_empty() {
        return Some("index.html".to_owned());
    }
    path.split('/').all(safe).then(|| path.to_owned())
}

/// Whether an Accept-Encoding header admits a coding: named, and not with `q=0`.
fn accepts(header: &str, coding: &str) -> bool {
    header.split(',').any(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(coding));
        let weight = parts.find_map(|part| part.strip_prefix("q=")).unwrap_or("1");
        named && weight.parse::<f32>().is_ok_and(|weight| weight > 0.0)
    })
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" | "map" => "application/json",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "webmanifest" => "application/manifest+json",
        "yaml" | "yml" | "md" | "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpStream;

    #[test]
    fn a_path_never_leaves_the_site() {
        for (target, expected) in [
            ("/", Some("index.html")),
            ("/?theme=dark#x", Some("index.html")),
            ("/examples/nginx.yaml", Some("examples/nginx.yaml")),
            ("/../Cargo.toml", None),
            ("/examples/..%2f..", None),
            ("//etc/passwd", None),
            ("/.git/config", None),
            ("http://else/where", None),
        ] {
            assert_eq!(site_path(target).as_deref(), expected, "{target}");
        }
    }

    #[test]
    fn an_encoding_is_accepted_when_named_with_a_weight() {
        for (header, coding, expected) in [
            ("gzip, deflate, br", "br", true),
            ("gzip;q=1.0, br;q=0", "br", false),
            ("GZIP", "gzip", true),
            ("", "gzip", false),
            ("brotli", "br", false),
        ] {
            assert_eq!(accepts(header, coding), expected, "{header} {coding}");
        }
    }

    #[test]
    fn the_server_answers_with_type_policy_and_the_compressed_form() {
        let dist = std::env::temp_dir().join(format!("tabernetes-serve-{}", std::process::id()));
        fs::create_dir_all(&dist).unwrap();
        fs::write(dist.join("engine.wasm"), "plain").unwrap();
        fs::write(dist.join("engine.wasm.br"), "squeezed").unwrap();
        let address = in_background(dist.clone()).unwrap();
        let authority = address.trim_start_matches("http://").trim_end_matches('/');
        let get = |path: &str, extra: &str| {
            let mut stream = TcpStream::connect(authority).unwrap();
            write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{extra}\r\n")
                .unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            text
        };
        let squeezed = get("/engine.wasm", "Accept-Encoding: br\r\n");
        let plain = get("/engine.wasm", "");
        let missing = get("/nothing.js", "");
        fs::remove_dir_all(&dist).unwrap();
        assert!(squeezed.contains("Content-Encoding: br"), "{squeezed}");
        assert!(squeezed.ends_with("squeezed"), "{squeezed}");
        assert!(plain.contains("Content-Type: application/wasm"), "{plain}");
        assert!(plain.contains("Content-Security-Policy: default-src 'none'"), "{plain}");
        assert!(plain.ends_with("plain"), "{plain}");
        assert!(missing.starts_with("HTTP/1.1 404"), "{missing}");
    }
}
