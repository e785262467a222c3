//! The latest packets, and the hops of one of them with the rule that decided each.

use protocol::{HopRow, PacketRow, PacketSort};
use yew::prelude::*;

use super::Intent;
use super::dock::DockProps;
use super::packet::packet_words;
use super::parts::{Icon, say};
use crate::format;
use crate::strings::Strings;

/// The latest packets, and the hops of one of them.
pub fn packet_board(props: &DockProps) -> Html {
    let strings = props.language.strings();
    let rows = &props.packets.rows;
    html! {
        <div class="packets">
            <div class="packet-list">
                <div class="packet-bar">
                    <button type="button" class="button small" data-testid="next-packet"
                        onclick={say(&props.send, Intent::StepPacket)}>
                        { Icon::Step.html() }{ strings.next_packet }
                    </button>
                </div>
                <ul aria-label={strings.packets} data-testid="packets">
                    { for rows.iter().rev().map(|packet| row(packet, props, strings)) }
                </ul>
            </div>
            { hops(props, strings) }
        </div>
    }
}

/// A sign for what a packet carries, as the map draws it.
fn sign(sort: PacketSort) -> (&'static str, &'static str) {
    match sort {
        PacketSort::Lost | PacketSort::Rejected => ("✕", "state-failed"),
        PacketSort::Refused => ("■", "state-failed"),
        PacketSort::Error => ("▲", "state-failed"),
        PacketSort::Name => ("●", "state-unknown"),
        PacketSort::Data => ("●", "packet-data"),
        PacketSort::Control => ("•", "state-terminating"),
    }
}

fn row(packet: &PacketRow, props: &DockProps, strings: &'static Strings) -> Html {
    let (glyph, class) = sign(packet.sort);
    let selected = props.packet == Some(packet.id);
    let time = format::clock_precise(packet.time_ms - props.epoch_ms);
    html! {
        <li key={packet.id.to_string()}>
            <button type="button" class="packet-row" aria-pressed={selected.to_string()}
                onclick={say(&props.send, Intent::Packet(packet.id))} data-testid="packet-row">
                <span class="soft numbers">{ time }</span>
                <span {class} aria-hidden="true">{ glyph }</span>
                <span class="ends">{ packet_words(packet, &props.tables, strings) }</span>
            </button>
        </li>
    }
}

fn hops(props: &DockProps, strings: &'static Strings) -> Html {
    let known = props.packet.is_some() && props.packets.hops.0 == props.packet;
    let hops: &[HopRow] = if known { &props.packets.hops.1 } else { &[] };
    html! {
        <div class="hops" role="region" tabindex="0" aria-label={strings.packets}>
            if hops.is_empty() { <p class="nothing soft">{ strings.no_hops }</p> }
            <ol data-testid="hops">{ for hops.iter().map(hop) }</ol>
        </div>
    }
}

fn hop(hop: &HopRow) -> Html {
    let word = hop.verdict.clone();
    let bad = matches!(word.as_str(), "Dropped" | "Rejected");
    let class = if bad { "tag bad" } else { "tag" };
    html! {
        <li class="hop" data-testid="hop" data-verdict={word.clone()}>
            <span {class}>{ word }</span>
            <span class="hop-place">
                <strong>{ &hop.machine }</strong>{ " " }{ &hop.place }
            </span>
            if let Some(rule) = &hop.rule { <code class="rule">{ rule }</code> }
            <code class="soft">{ &hop.summary }</code>
        </li>
    }
}
