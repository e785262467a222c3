//! The microservices demo "Online Boutique": which service calls which for what, and what the
//! shoppers of its load generator do.
//!
//! Upstream: GoogleCloudPlatform/microservices-demo, src/.

use std::collections::BTreeMap;
use std::sync::Arc;

use network::{HttpRequest, HttpResponse, Payload};
use runtime::{Flow, Io, Process, ProcessEvent};
use sim::{Digest, Duration, Time};

use super::{PLAIN, port_from, redis};
use crate::catalogue::ImageDefinition;
use crate::net::{
    Arrived, Call, Host, Reply, Service, Step, StepFailure, Url, header, http_response, page,
};
use crate::server::{grpc, is_grpc};

/// What a service of the demo is: where it listens unless told, what it says, its methods.
#[derive(Debug)]
struct Member {
    name: &'static str,
    port: u16,
    hello: &'static str,
    routes: &'static [Route],
}

/// What one kind of request makes a service do.
#[derive(Debug)]
struct Route {
    /// The HTTP method; empty for gRPC.
    method: &'static str,
    /// The path; at its end, `*` stands for anything.
    path: &'static str,
    calls: &'static [Outgoing],
    answer: Answer,
}

/// A call to another service.
#[derive(Debug)]
struct Outgoing {
    /// The variable that says where.
    to: &'static str,
    /// The method, or for Redis the command.
    what: &'static str,
    /// How often in a row.
    times: usize,
    /// What is said when it fails; empty if that does not matter.
    failure: &'static str,
}

#[derive(Debug)]
enum Answer {
    /// A page with that title.
    Page(&'static str),
    /// `302 Found` to there.
    Redirect(&'static str),
    /// Plain text.
    Text(&'static str),
    /// A gRPC message.
    Message(&'static str),
}

const fn call(to: &'static str, what: &'static str, failure: &'static str) -> Outgoing {
    Outgoing { to, what, times: 1, failure }
}

const fn get(path: &'static str, calls: &'static [Outgoing], title: &'static str) -> Route {
    Route { method: "GET", path, calls, answer: Answer::Page(title) }
}

const fn post(path: &'static str, calls: &'static [Outgoing], answer: Answer) -> Route {
    Route { method: "POST", path, calls, answer }
}

const fn rpc(path: &'static str, calls: &'static [Outgoing], message: &'static str) -> Route {
    Route { method: "", path, calls, answer: Answer::Message(message) }
}

const CURRENCIES: Outgoing = call(
    "CURRENCY_SERVICE_ADDR",
    "/hipstershop.CurrencyService/GetSupportedCurrencies",
    "could not retrieve currencies",
);
const CART: Outgoing =
    call("CART_SERVICE_ADDR", "/hipstershop.CartService/GetCart", "could not retrieve cart");
const PRODUCT: Outgoing = call(
    "PRODUCT_CATALOG_SERVICE_ADDR",
    "/hipstershop.ProductCatalogService/GetProduct",
    "could not retrieve product",
);
const CONVERT: Outgoing = call(
    "CURRENCY_SERVICE_ADDR",
    "/hipstershop.CurrencyService/Convert",
    "failed to convert currency",
);
const RECOMMENDATIONS: Outgoing = call(
    "RECOMMENDATION_SERVICE_ADDR",
    "/hipstershop.RecommendationService/ListRecommendations",
    "",
);
const ADS: Outgoing = call("AD_SERVICE_ADDR", "/hipstershop.AdService/GetAds", "");
const QUOTE: Outgoing = call(
    "SHIPPING_SERVICE_ADDR",
    "/hipstershop.ShippingService/GetQuote",
    "failed to get shipping quote",
);
const PLACE_ORDER: Outgoing = call(
    "CHECKOUT_SERVICE_ADDR",
    "/hipstershop.CheckoutService/PlaceOrder",
    "failed to complete the order",
);

const FRONTEND: Member = Member {
    name: "frontend",
    port: 8080,
    hello: "{\"message\":\"starting server on :8080\",\"severity\":\"info\"}\n",
    routes: &[
        Route { method: "GET", path: "/_healthz", calls: &[], answer: Answer::Text("ok") },
        Route {
            method: "GET",
            path: "/robots.txt",
            calls: &[],
            answer: Answer::Text("User-agent: *\nDisallow: /"),
        },
        get(
            "/",
            &[
                CURRENCIES,
                call(
                    "PRODUCT_CATALOG_SERVICE_ADDR",
                    "/hipstershop.ProductCatalogService/ListProducts",
                    "could not retrieve products",
                ),
                CART,
                Outgoing { times: 9, ..CONVERT },
                ADS,
            ],
            "Hot Products",
        ),
        get("/product/*", &[PRODUCT, CURRENCIES, CART, CONVERT, RECOMMENDATIONS, ADS], "Product"),
        get("/cart", &[CURRENCIES, CART, RECOMMENDATIONS, QUOTE, CONVERT], "Cart"),
        post(
            "/cart",
            &[
                PRODUCT,
                call(
                    "CART_SERVICE_ADDR",
                    "/hipstershop.CartService/AddItem",
                    "failed to add to cart",
                ),
            ],
            Answer::Redirect("/cart"),
        ),
        post(
            "/cart/empty",
            &[call(
                "CART_SERVICE_ADDR",
                "/hipstershop.CartService/EmptyCart",
                "failed to empty cart",
            )],
            Answer::Redirect("/"),
        ),
        post("/setCurrency", &[], Answer::Redirect("/")),
        post(
            "/cart/checkout",
            &[PLACE_ORDER, RECOMMENDATIONS, CURRENCIES],
            Answer::Page("Your order is complete!"),
        ),
    ],
};

const CHECKOUT: Member = Member {
    name: "checkoutservice",
    port: 5050,
    hello: "{\"message\":\"starting to listen on tcp: \\\"[::]:5050\\\"\",\"severity\":\"info\"}\n",
    routes: &[rpc(
        "/hipstershop.CheckoutService/PlaceOrder",
        &[
            Outgoing { failure: "cart failure: failed to get user cart during checkout", ..CART },
            Outgoing { failure: "failed to prepare order: failed to get product", ..PRODUCT },
            Outgoing { failure: "failed to prepare order: failed to convert price", ..CONVERT },
            Outgoing { failure: "shipping quote failure: failed to get shipping quote", ..QUOTE },
            Outgoing { failure: "failed to convert shipping cost to currency", ..CONVERT },
            call(
                "PAYMENT_SERVICE_ADDR",
                "/hipstershop.PaymentService/Charge",
                "failed to charge card: could not charge the card",
            ),
            call(
                "SHIPPING_SERVICE_ADDR",
                "/hipstershop.ShippingService/ShipOrder",
                "shipping error: shipment failed",
            ),
            call("CART_SERVICE_ADDR", "/hipstershop.CartService/EmptyCart", ""),
            call("EMAIL_SERVICE_ADDR", "/hipstershop.EmailService/SendOrderConfirmation", ""),
        ],
        "{\"order\":{\"shippingTrackingId\":\"AA-00000-000000000\"}}",
    )],
};

const CART_SERVICE: Member = Member {
    name: "cartservice",
    port: 7070,
    hello: "info: Microsoft.Hosting.Lifetime[14]\n      Now listening on: http://[::]:7070\n",
    routes: &[
        rpc(
            "/hipstershop.CartService/AddItem",
            &[call("REDIS_ADDR", "HINCRBY @ items 1", "Can't access cart storage.")],
            "{}",
        ),
        rpc(
            "/hipstershop.CartService/GetCart",
            &[call("REDIS_ADDR", "HGET @ items", "Can't access cart storage.")],
            "{\"items\":[]}",
        ),
        rpc(
            "/hipstershop.CartService/EmptyCart",
            &[call("REDIS_ADDR", "DEL @", "Can't access cart storage.")],
            "{}",
        ),
    ],
};

const OTHERS: [Member; 7] = [
    Member {
        name: "productcatalogservice",
        port: 3550,
        hello: "{\"message\":\"starting grpc server at :3550\",\"severity\":\"info\"}\n",
        routes: &[rpc(
            "/hipstershop.ProductCatalogService/*",
            &[],
            "{\"id\":\"OLJCESPC7Z\",\"name\":\"Sunglasses\"}",
        )],
    },
    Member {
        name: "currencyservice",
        port: 7000,
        hello: "{\"message\":\"CurrencyService gRPC server started on port 7000\",\"severity\":\"info\"}\n",
        routes: &[rpc(
            "/hipstershop.CurrencyService/*",
            &[],
            "{\"currencyCodes\":[\"EUR\",\"USD\",\"JPY\",\"GBP\",\"TRY\",\"CAD\"]}",
        )],
    },
    Member {
        name: "paymentservice",
        port: 50051,
        hello: "{\"message\":\"PaymentService gRPC server started on port 50051\",\"severity\":\"info\"}\n",
        routes: &[rpc("/hipstershop.PaymentService/Charge", &[], "{\"transactionId\":\"0\"}")],
    },
    Member {
        name: "shippingservice",
        port: 50051,
        hello: "{\"message\":\"Shipping Service listening on port :50051\",\"severity\":\"info\"}\n",
        routes: &[rpc(
            "/hipstershop.ShippingService/*",
            &[],
            "{\"costUsd\":{\"units\":8,\"nanos\":990000000}}",
        )],
    },
    Member {
        name: "emailservice",
        port: 8080,
        hello: "{\"message\":\"listening on port: 8080\",\"severity\":\"INFO\"}\n",
        routes: &[rpc("/hipstershop.EmailService/SendOrderConfirmation", &[], "{}")],
    },
    Member {
        name: "recommendationservice",
        port: 8080,
        hello: "{\"message\":\"listening on port: 8080\",\"severity\":\"INFO\"}\n",
        routes: &[rpc(
            "/hipstershop.RecommendationService/ListRecommendations",
            &[call(
                "PRODUCT_CATALOG_SERVICE_ADDR",
                "/hipstershop.ProductCatalogService/ListProducts",
                "Exception calling application",
            )],
            "{\"productIds\":[\"66VCHSJNUP\"]}",
        )],
    },
    Member {
        name: "adservice",
        port: 9555,
        hello: "{\"message\":\"Ad Service started, listening on 9555\",\"severity\":\"INFO\"}\n",
        routes: &[rpc("/hipstershop.AdService/GetAds", &[], "{\"ads\":[]}")],
    },
];

static MEMBERS: [&Member; 10] = [
    &FRONTEND,
    &CHECKOUT,
    &CART_SERVICE,
    &OTHERS[0],
    &OTHERS[1],
    &OTHERS[2],
    &OTHERS[3],
    &OTHERS[4],
    &OTHERS[5],
    &OTHERS[6],
];

/// The place where the demo's images are, under several registries.
const PLACE: &str = "/microservices-demo/";

const fn image(name: &'static str, entrypoint: &'static [&'static str]) -> ImageDefinition {
    ImageDefinition {
        repository: name,
        sizes: &[("", 25_000_000)],
        entrypoint,
        user: 1000,
        has_userland: false,
        program: |name, _| program(name),
        ..PLAIN
    }
}

/// The images by their names within the demo.
static IMAGES: [ImageDefinition; 11] = [
    image("frontend", &["/src/frontend"]),
    image("checkoutservice", &["/src/checkoutservice"]),
    image("cartservice", &["/app/cartservice"]),
    image("productcatalogservice", &["/src/productcatalogservice"]),
    image("currencyservice", &["/src/currencyservice"]),
    image("paymentservice", &["/src/paymentservice"]),
    image("shippingservice", &["/src/shippingservice"]),
    image("emailservice", &["/src/emailservice"]),
    image("recommendationservice", &["/src/recommendationservice"]),
    image("adservice", &["/app/adservice"]),
    image("loadgenerator", &["/src/loadgenerator"]),
];

/// The image of the demo that a repository holds, whichever registry it is in.
pub(crate) fn definition(repository: &str) -> Option<&'static ImageDefinition> {
    let (_, name) = repository.split_once(PLACE)?;
    IMAGES.iter().find(|image| image.repository == name)
}

/// The program of one of the demo's images.
fn program(member: &str) -> Option<Box<dyn Process>> {
    if member == "loadgenerator" {
        return Some(Box::new(Shoppers::default()));
    }
    let member = MEMBERS.iter().find(|known| known.name == member)?;
    Some(Host::start(Boutique { member, served: 0 }))
}

/// One of the services.
#[derive(Clone, Debug)]
struct Boutique {
    member: &'static Member,
    served: u64,
}

/// How long a service waits for another.
const LIMIT: Duration = Duration::from_secs(20);

fn user_of(request: &HttpRequest) -> String {
    let cookie = request.headers.get("cookie").map(String::as_str).unwrap_or_default();
    let session = cookie.split(';').find_map(|part| part.trim().strip_prefix("shop_session-id="));
    session.or(request.headers.get("user").map(String::as_str)).unwrap_or("anonymous").to_string()
}

/// The words of a failed gRPC call. Upstream: google.golang.org/grpc.
fn rpc_words(step: &Step, failure: &StepFailure) -> String {
    const CODES: [&str; 15] = [
        "OK",
        "Canceled",
        "Unknown",
        "InvalidArgument",
        "DeadlineExceeded",
        "NotFound",
        "AlreadyExists",
        "PermissionDenied",
        "ResourceExhausted",
        "FailedPrecondition",
        "Aborted",
        "OutOfRange",
        "Unimplemented",
        "Internal",
        "Unavailable",
    ];
    let (code, words) = match failure {
        StepFailure::Status(response) => {
            let status = response.headers.get("grpc-status").and_then(|code| code.parse().ok());
            let code = CODES.get(status.unwrap_or(2usize)).copied().unwrap_or("Unknown");
            (code, response.headers.get("grpc-message").cloned().unwrap_or_default())
        }
        StepFailure::Call(error) => {
            use crate::net::{CallError, DialError};
            let why = error.go_words(&step.host);
            match error {
                CallError::Deadline(_) => ("DeadlineExceeded", why),
                CallError::Broken(_) => {
                    ("Unavailable", format!("error reading from server: {why}"))
                }
                CallError::Dial(DialError::Name(_)) => {
                    let why = why.trim_start_matches("dial tcp: ");
                    ("Unavailable", format!("dns: A record lookup error: {why}"))
                }
                CallError::Dial(_) => (
                    "Unavailable",
                    format!("connection error: desc = \"transport: Error while dialing: {why}\""),
                ),
            }
        }
    };
    format!("rpc error: code = {code} desc = {words}")
}

impl Boutique {
    fn route(&self, method: &str, path: &str) -> Option<&'static Route> {
        let path = path.split('?').next().unwrap_or_default();
        self.member.routes.iter().find(|route| {
            let method = route.method == method || (route.method == "GET" && method == "HEAD");
            let path = match route.path.strip_suffix('*') {
                Some(prefix) => path.starts_with(prefix),
                None => path == route.path,
            };
            method && path
        })
    }

    /// The call of the route that a step makes.
    fn outgoing(&self, step: &Step) -> Option<&'static Outgoing> {
        let routes = self.member.routes.iter().filter(|route| step.origin == route.path);
        let mut calls = routes.flat_map(|route| route.calls);
        let path = step.path();
        calls.find(|call| match path {
            "" => !call.what.starts_with('/'),
            path => call.what == path,
        })
    }

    fn steps(&self, route: &'static Route, user: &str, io: &Io<'_>) -> Vec<Step> {
        let mut steps = Vec::new();
        for call in route.calls {
            let address =
                io.environment.variables.get(call.to).filter(|address| !address.is_empty());
            // Without a store the carts are kept in memory.
            let Some(address) = address else { continue };
            let (host, port) = address.rsplit_once(':').unwrap_or((address, "80"));
            let Ok(port) = port.parse() else { continue };
            let request = if call.what.starts_with('/') {
                let headers = BTreeMap::from([
                    header("content-type", "application/grpc"),
                    header("host", address),
                    header("user", user),
                ]);
                Payload::HttpRequest(Arc::new(HttpRequest {
                    method: "POST".to_string(),
                    path: call.what.to_string(),
                    headers,
                    body: String::new(),
                }))
            } else {
                let words: Vec<&str> = call
                    .what
                    .split(' ')
                    .map(|word| if word == "@" { user } else { word })
                    .collect();
                redis::command(&words)
            };
            let step = Step { host: host.to_string(), port, request, origin: route.path };
            steps.extend(std::iter::repeat_n(step, call.times));
        }
        steps
    }
}

/// The page around a title.
fn html(status: u16, title: &str, text: &str) -> Payload {
    let body = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<title>Online Boutique</title>\n</head>\n<body>\n\
         <h3>{title}</h3>\n{text}</body>\n</html>\n"
    );
    Payload::HttpResponse(Arc::new(page(status, "text/html; charset=utf-8", body)))
}

fn answer(answer: &Answer) -> Payload {
    match answer {
        Answer::Page(title) => html(200, title, ""),
        Answer::Text(text) => crate::net::text(200, *text),
        Answer::Message(message) => grpc(0, "", message),
        Answer::Redirect(to) => Payload::HttpResponse(Arc::new(HttpResponse {
            status: 302,
            headers: BTreeMap::from([header("location", to), header("content-length", "0")]),
            body: String::new(),
        })),
    }
}

impl Service for Boutique {
    fn begin(&mut self, io: &mut Io<'_>) -> Result<Vec<u16>, i32> {
        io.stdout(self.member.hello);
        let needed = self.member.routes.iter().flat_map(|route| route.calls);
        for call in needed.filter(|call| call.to.ends_with("_SERVICE_ADDR")) {
            if !io.environment.variables.contains_key(call.to) {
                io.stderr(&format!("panic: environment variable {:?} not set\n", call.to));
                return Err(2);
            }
        }
        Ok(vec![port_from(io.environment, "PORT", self.member.port)])
    }

    fn serve(&mut self, arrived: &Arrived, io: &mut Io<'_>) -> Reply {
        let Payload::HttpRequest(request) = &arrived.payload else { return Reply::Silence };
        if is_grpc(request) && request.path == "/grpc.health.v1.Health/Check" {
            return Reply::Send(grpc(0, "", r#"{"status":"SERVING"}"#));
        }
        self.served += 1;
        let method = if is_grpc(request) { "" } else { &request.method };
        let Some(route) = self.route(method, &request.path) else {
            return Reply::Send(match is_grpc(request) {
                true => grpc(12, &format!("unknown method {}", request.path), ""),
                false => crate::net::text(404, "404 page not found\n"),
            });
        };
        let steps = self.steps(route, &user_of(request), io);
        let then = answer(&route.answer);
        if steps.is_empty() {
            return Reply::Send(then);
        }
        Reply::Ask { steps, limit: LIMIT, then }
    }

    fn failed(&mut self, step: &Step, failure: &StepFailure, io: &mut Io<'_>) -> Option<Payload> {
        let words = rpc_words(step, failure);
        let call = self.outgoing(step);
        let said = call.map_or("", |call| call.failure);
        if said.is_empty() {
            io.stdout(&format!("{{\"error\":{words:?},\"severity\":\"warning\"}}\n"));
            return None;
        }
        let why = format!("{said}: {words}");
        io.stdout(&format!(
            "{{\"error\":{why:?},\"message\":\"request error\",\"severity\":\"error\"}}\n"
        ));
        if self.member.name != FRONTEND.name {
            // .NET tells its caller that the call cannot be made, Go and Python that it failed.
            let code = if said.starts_with("Can't") { 9 } else { 13 };
            return Some(grpc(code, &why, ""));
        }
        let text = format!(
            "<h1>Uh, oh!</h1>\n<p>Something has failed. Below are some details for debugging.</p>\n\
             <p><strong>HTTP Status:</strong> 500 Internal Server Error</p>\n<pre>{why}</pre>\n"
        );
        Some(html(500, "Error", &text))
    }

    fn clone_service(&self) -> Box<dyn Service> {
        Box::new(self.clone())
    }

    fn digest(&self, digest: &mut Digest) {
        digest.str(self.member.name);
        digest.u64(self.served);
    }
}

/// What a shopper may do, and how often. Upstream: src/loadgenerator/locustfile.py.
const TASKS: [(u64, &[(&str, &str)]); 6] = [
    (1, &[("GET", "/")]),
    (2, &[("POST", "/setCurrency")]),
    (10, &[("GET", "/product/*")]),
    (2, &[("GET", "/product/*"), ("POST", "/cart")]),
    (3, &[("GET", "/cart")]),
    (1, &[("GET", "/product/*"), ("POST", "/cart"), ("POST", "/cart/checkout")]),
];
const PRODUCTS: [&str; 9] = [
    "0PUK6V6EV0",
    "1YMWWN1N4O",
    "2ZYFJ3GM2N",
    "66VCHSJNUP",
    "6E92ZMYYFZ",
    "9SIQT8TOJO",
    "L9ECAV7KIM",
    "LS4PSXUNUM",
    "OLJCESPC7Z",
];
const MAX_USERS: u64 = 10_000;
/// How often the figures are printed.
const REPORT: Duration = Duration::from_secs(10);

/// One shopper.
#[derive(Clone, Debug)]
struct Shopper {
    next: Time,
    call: Option<Call>,
    asked: Time,
    /// What is left of the task, last first.
    left: Vec<(&'static str, String)>,
}

/// The load generator: locust with the demo's shoppers.
#[derive(Clone, Debug, Default)]
struct Shoppers {
    shoppers: Vec<Shopper>,
    report_at: Option<Time>,
    requests: u64,
    failures: u64,
    milliseconds: u64,
}

impl Shoppers {
    fn begin(&mut self, io: &mut Io<'_>) -> Flow {
        let number = |name: &str, default: u64| {
            let value = io.environment.variables.get(name).and_then(|value| value.parse().ok());
            value.unwrap_or(default)
        };
        let users = number("USERS", 10).min(MAX_USERS);
        let rate = number("RATE", 1).max(1);
        for place in 0..users {
            let next = io.now + Duration::from_millis(place * 1000 / rate);
            // Everybody begins at the front page.
            let left = vec![("GET", "/".to_string())];
            self.shoppers.push(Shopper { next, call: None, asked: next, left });
        }
        io.stderr(&format!(
            "INFO/locust.main: Starting Locust\nINFO/locust.runners: Ramping to {users} users at a \
             rate of {rate}.00 per second\n"
        ));
        self.report_at = Some(io.now + REPORT);
        self.wait()
    }

    fn wait(&self) -> Flow {
        let calls = self.shoppers.iter().filter_map(|shopper| match &shopper.call {
            Some(call) => call.next_wake(),
            None => Some(shopper.next),
        });
        calls.chain(self.report_at).min().map_or(Flow::Continue, Flow::WaitUntil)
    }

    /// Chooses the next task of a shopper.
    fn choose(io: &mut Io<'_>) -> Vec<(&'static str, String)> {
        let total: u64 = TASKS.iter().map(|(weight, _)| weight).sum();
        let mut draw = io.random().below(total);
        let mut chosen: &[(&str, &str)] = &[];
        for (weight, steps) in TASKS {
            if draw < weight {
                chosen = steps;
                break;
            }
            draw -= weight;
        }
        let mut left = Vec::new();
        for (method, path) in chosen.iter().rev() {
            let product = io.random().below(PRODUCTS.len() as u64);
            let product = PRODUCTS[usize::try_from(product).unwrap_or(0)];
            left.push((*method, path.replace('*', product)));
        }
        left
    }

    fn ask(&mut self, place: usize, io: &mut Io<'_>) {
        let address = io.environment.variables.get("FRONTEND_ADDR").cloned().unwrap_or_default();
        let Some(url) = Url::parse(&address) else { return };
        let Some(shopper) = self.shoppers.get_mut(place) else { return };
        let Some((method, path)) = shopper.left.pop() else { return };
        let headers = BTreeMap::from([
            header("host", &url.authority()),
            header("user-agent", "python-requests/2.32"),
            header("cookie", &format!("shop_session-id=shopper-{place}")),
        ]);
        let request =
            HttpRequest { method: method.to_string(), path, headers, body: String::new() };
        let payload = Payload::HttpRequest(Arc::new(request));
        shopper.asked = io.now;
        shopper.call = Some(Call::begin((&url.host, url.port), payload, Some(LIMIT * 3), io));
    }

    fn advance(&mut self, place: usize, event: &ProcessEvent, io: &mut Io<'_>) {
        let Some(shopper) = self.shoppers.get_mut(place) else { return };
        let Some(call) = &mut shopper.call else {
            if shopper.next <= io.now {
                if shopper.left.is_empty() {
                    shopper.left = Self::choose(io);
                }
                self.ask(place, io);
            }
            return;
        };
        let Some(result) = call.poll(event, io) else { return };
        shopper.call = None;
        self.requests += 1;
        self.milliseconds += (io.now - shopper.asked).as_millis();
        match result {
            Ok((answer, socket, _)) => {
                io.network.close(socket);
                let response = http_response(&answer);
                let location = response.as_ref().and_then(|r| r.headers.get("location")).cloned();
                if let Some(location) = location.filter(|path| path.starts_with('/')) {
                    shopper.left.push(("GET", location));
                }
                self.failures += u64::from(response.is_none_or(|response| response.status >= 400));
            }
            Err(_) => self.failures += 1,
        }
        if shopper.left.is_empty() {
            shopper.next =
                io.now + io.random().between(Duration::from_secs(1), Duration::from_secs(10));
        } else {
            self.ask(place, io);
        }
    }

    fn report(&mut self, io: &mut Io<'_>) {
        if self.report_at.is_some_and(|time| time <= io.now) {
            self.report_at = Some(io.now + REPORT);
            let mean = self.milliseconds.checked_div(self.requests).unwrap_or(0);
            let percent = (self.failures * 100).checked_div(self.requests).unwrap_or(0);
            io.stderr(&format!(
                "Type     Name        # reqs      # fails |    Avg\n         Aggregated  {:>6} \
                 {:>7}({percent}%) | {mean:>6}\n",
                self.requests, self.failures
            ));
        }
    }
}

impl Process for Shoppers {
    fn on(&mut self, event: ProcessEvent, io: &mut Io<'_>) -> Flow {
        match event {
            ProcessEvent::Started => return self.begin(io),
            ProcessEvent::Signal(_) => {
                for call in self.shoppers.iter_mut().filter_map(|shopper| shopper.call.as_mut()) {
                    call.cancel(io);
                }
                return Flow::Exit(0);
            }
            _ => {}
        }
        for place in 0..self.shoppers.len() {
            self.advance(place, &event, io);
        }
        self.report(io);
        self.wait()
    }

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }

    fn digest(&self, digest: &mut Digest) {
        digest.str("loadgenerator");
        for shopper in &self.shoppers {
            digest.add(&shopper.next);
            digest.u64(shopper.left.len() as u64);
            if let Some(call) = &shopper.call {
                digest.add(call);
            }
        }
        digest.u64(self.requests);
        digest.u64(self.failures);
    }
}
