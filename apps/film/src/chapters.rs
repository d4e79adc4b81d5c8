//! A film's chapters.

use std::sync::{Arc, Mutex, PoisonError};

use gst::prelude::*;
use gst::tags::Title;
use gst::{ClockTime, PadProbeData, PadProbeReturn, PadProbeType, Toc, TocEntry};

/// The chapters of the part between two places, with times from its beginning; None if it has none.
pub fn between(toc: &Toc, from: ClockTime, to: ClockTime) -> Option<Toc> {
    let mut part = Toc::new(toc.scope());
    let parts: Vec<_> = toc.entries().iter().filter_map(|entry| cut(entry, from, to)).collect();
    if parts.is_empty() {
        return None;
    }
    let edit = part.make_mut();
    parts.into_iter().for_each(|entry| edit.append_entry(entry));
    edit.set_tags(toc.tags());
    Some(part)
}

/// The part of a chapter, or of an edition with chapters, between two places.
fn cut(entry: &TocEntry, from: ClockTime, to: ClockTime) -> Option<TocEntry> {
    let [first, last] = [from, to].map(|time| i64::try_from(time.nseconds()).unwrap_or(i64::MAX));
    let mut part = TocEntry::new(entry.entry_type(), entry.uid());
    let edit = part.make_mut();
    // The last chapter may have no end.
    let times = entry.start_stop_times().map(|(begin, end)| (begin, if end < begin { last } else { end }));
    if let Some((begin, end)) = times {
        let (begin, end) = (begin.max(first), end.min(last));
        if begin >= end && !entry.is_alternative() {
            return None;
        }
        edit.set_start_stop_times(begin - first, end - first);
    }
    edit.set_tags(entry.tags());
    let parts: Vec<_> = entry.sub_entries().iter().filter_map(|entry| cut(entry, from, to)).collect();
    if parts.is_empty() && entry.is_alternative() {
        return None;
    }
    parts.into_iter().for_each(|entry| edit.append_sub_entry(entry));
    Some(part)
}

/// The beginnings, in nanoseconds, and the titles of chapters, also of those within others.
pub fn list(entries: &[TocEntry]) -> Vec<(u64, String)> {
    let all = entries.iter().flat_map(|entry| {
        let times = entry.start_stop_times().filter(|_| !entry.is_alternative());
        let title = entry.tags().and_then(|tags| Some(tags.get::<Title>()?.get().to_owned())).unwrap_or_default();
        let chapter = times.map(|(begin, _)| (u64::try_from(begin).unwrap_or_default(), title));
        chapter.into_iter().chain(list(&entry.sub_entries()))
    });
    all.collect()
}

/// Stores the chapters that pass a demuxer's pad.
pub fn find(pad: &gst::Pad, found: &Arc<Mutex<Option<Toc>>>) {
    let found = found.clone();
    pad.add_probe(PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if let Some(PadProbeData::Event(event)) = &info.data
            && let gst::EventView::Toc(event) = event.view()
        {
            *found.lock().unwrap_or_else(PoisonError::into_inner) = Some(event.toc_owned().0);
        }
        PadProbeReturn::Ok
    });
}

/// Drops the chapters that reach `pad` with a stream: they are set at the muxer.
pub fn drop_events(pad: &gst::Pad) {
    pad.add_probe(PadProbeType::EVENT_DOWNSTREAM, |_, info| match &info.data {
        Some(PadProbeData::Event(event)) if event.type_() == gst::EventType::Toc => PadProbeReturn::Handled,
        _ => PadProbeReturn::Ok,
    });
}
