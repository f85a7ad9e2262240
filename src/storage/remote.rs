//! Listing, reading and writing through `object_store`.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt};
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt};

use super::location::{Location, Scheme};
use super::pattern::Pattern;
use super::{Error, ObjectInfo};

/// Ranges closer than this are fetched in one request: a round trip costs more than the bytes between.
const GAP: u64 = 256 * 1024;
/// Largest single request; keeps one slow request inside its time limit and lets parts travel side by side.
const PART: u64 = 16 * 1024 * 1024;
/// Requests of one read under way at once.
const PARALLEL: usize = 8;

/// Lists a location, sorted by name; at least one object or an error.
pub(super) async fn list(store: &dyn ObjectStore, location: &Location, limit: usize) -> Result<Vec<ObjectInfo>, Error> {
    let uri = location.uri();
    // Wildcards make no sense over HTTP: servers do not list, and `?` begins a query.
    let pattern = if location.scheme == Scheme::Http { None } else { Pattern::of(&uri, &location.path)? };
    let Some(pattern) = pattern else {
        let path = location.object_path()?;
        return match store.head(&path).await {
            Ok(meta) => Ok(vec![info(location.clone(), &meta)]),
            Err(error) => Err(explain_missing(store, location, failed(location, &error)).await),
        };
    };
    let prefix = match pattern.prefix.as_str() {
        "" => None,
        prefix => Some(location.with_path(prefix).object_path()?),
    };
    let mut found: Vec<ObjectMeta> = Vec::new();
    let mut listing = store.list(prefix.as_ref());
    while let Some(meta) = listing.next().await {
        let meta = meta.map_err(|error| failed(location, &error))?;
        if pattern.matches(meta.location.as_ref()) {
            if found.len() == limit {
                return Err(Error::TooMany { uri, limit });
            }
            found.push(meta);
        }
    }
    if found.is_empty() {
        return Err(Error::NotFound { uri, hint: "no object matches the pattern".into() });
    }
    found.sort_by(|a, b| a.location.as_ref().cmp(b.location.as_ref()));
    let located = found.into_iter().map(|meta| (location.with_path(meta.location.as_ref()), meta));
    // A listing may lack etags; without them a replaced object of the same size would pass unnoticed.
    futures::stream::iter(located)
        .map(|(location, meta)| async move {
            if meta.e_tag.is_some() {
                return Ok(info(location, &meta));
            }
            let meta = store.head(&meta.location).await.map_err(|error| failed(&location, &error))?;
            Ok(info(location, &meta))
        })
        .buffered(PARALLEL)
        .try_collect()
        .await
}

/// A missing object and a missing bucket look the same to HEAD; a listing tells them apart.
async fn explain_missing(store: &dyn ObjectStore, location: &Location, error: Error) -> Error {
    if !matches!(error, Error::NotFound { .. }) || location.scheme == Scheme::Http {
        return error;
    }
    let Ok(path) = location.object_path() else { return error };
    match store.list(Some(&path)).next().await {
        Some(Ok(_)) => {
            let hint = format!("it is a folder; write `{}/*.parquet` to read the objects in it", location.uri());
            Error::NotFound { uri: location.uri(), hint }
        }
        Some(Err(found)) => match failed(location, &found) {
            explained @ Error::NoBucket { .. } => explained,
            _ => error,
        },
        None => error,
    }
}

/// Reads ranges in the order given.
pub(super) async fn read_ranges(
    store: Arc<dyn ObjectStore>,
    object: &ObjectInfo,
    ranges: &[Range<u64>],
) -> Result<Vec<Bytes>, Error> {
    let merged = coalesce(ranges);
    let parts: Vec<Range<u64>> = merged.iter().flat_map(split).collect();
    let fetched: Result<Vec<Bytes>, Error> = futures::stream::iter(parts.iter().cloned())
        .map(|range| fetch(store.as_ref(), object, range))
        .buffered(PARALLEL)
        .try_collect()
        .await;
    let fetched = match fetched {
        // Some servers know no ranges: then there is only the whole object.
        Err(Error::Refused { reason, .. }) if reason.contains("Range request not supported") => {
            let whole = fetch_whole(store.as_ref(), object).await?;
            return ranges.iter().map(|range| cut(object, &whole, range)).collect();
        }
        fetched => fetched?,
    };
    let whole: Vec<(Range<u64>, Bytes)> = {
        let mut fetched = fetched.into_iter();
        merged
            .into_iter()
            .map(|range| {
                let count = split(&range).count();
                let bytes = join(fetched.by_ref().take(count).collect());
                (range, bytes)
            })
            .collect()
    };
    ranges
        .iter()
        .map(|range| {
            if range.is_empty() {
                return Ok(Bytes::new());
            }
            let found = whole.iter().find(|(outer, _)| outer.start <= range.start && range.end <= outer.end);
            let (outer, bytes) = found.ok_or_else(|| short(object))?;
            cut(object, bytes, &(range.start - outer.start..range.end - outer.start))
        })
        .collect()
}

fn cut(object: &ObjectInfo, bytes: &Bytes, range: &Range<u64>) -> Result<Bytes, Error> {
    match (usize::try_from(range.start), usize::try_from(range.end)) {
        (Ok(start), Ok(end)) if start <= end && end <= bytes.len() => Ok(bytes.slice(start..end)),
        _ => Err(short(object)),
    }
}

fn short(object: &ObjectInfo) -> Error {
    Error::Changed { uri: object.uri.clone(), detail: "it is shorter than when it was listed".into() }
}

async fn fetch(store: &dyn ObjectStore, object: &ObjectInfo, range: Range<u64>) -> Result<Bytes, Error> {
    get(store, object, Some(GetRange::Bounded(range.clone()))).await.and_then(|bytes| {
        let expected = range.end - range.start;
        if bytes.len() as u64 == expected { Ok(bytes) } else { Err(short(object)) }
    })
}

async fn fetch_whole(store: &dyn ObjectStore, object: &ObjectInfo) -> Result<Bytes, Error> {
    get(store, object, None).await
}

async fn get(store: &dyn ObjectStore, object: &ObjectInfo, range: Option<GetRange>) -> Result<Bytes, Error> {
    let path = object.location.object_path()?;
    let fail = |error: &object_store::Error| failed(&object.location, error);
    // A weak etag never satisfies If-Match; the comparison below covers it, and servers that ignore the header.
    let if_match = object.etag.clone().filter(|etag| !etag.starts_with("W/"));
    let options = GetOptions { range, if_match, version: object.version.clone(), ..GetOptions::default() };
    let result = store.get_opts(&path, options).await.map_err(|error| fail(&error))?;
    if let (Some(listed), Some(found)) = (&object.etag, &result.meta.e_tag)
        && listed != found
    {
        return Err(Error::Changed { uri: object.uri.clone(), detail: "its etag differs".into() });
    }
    if result.meta.size != object.size_bytes {
        let detail = format!("{} bytes instead of {}", result.meta.size, object.size_bytes);
        return Err(Error::Changed { uri: object.uri.clone(), detail });
    }
    result.bytes().await.map_err(|error| fail(&error))
}

/// Writes an object.
pub(super) async fn put(store: &dyn ObjectStore, location: &Location, bytes: Bytes) -> Result<(), Error> {
    let path = location.object_path()?;
    store.put(&path, bytes.into()).await.map_err(|error| failed(location, &error))?;
    Ok(())
}

fn failed(location: &Location, error: &object_store::Error) -> Error {
    Error::from_store(&location.uri(), location.scheme.section(), &location.bucket, error)
}

fn info(location: Location, meta: &ObjectMeta) -> ObjectInfo {
    ObjectInfo {
        uri: location.uri(),
        size_bytes: meta.size,
        etag: meta.e_tag.clone(),
        version: meta.version.clone(),
        last_modified: meta.last_modified,
        location,
    }
}

/// Sorted, disjoint ranges that cover the given ones, with small gaps closed.
fn coalesce(ranges: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut sorted: Vec<Range<u64>> = ranges.iter().filter(|range| !range.is_empty()).cloned().collect();
    sorted.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<u64>> = Vec::with_capacity(sorted.len());
    for range in sorted {
        match merged.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(GAP) => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

fn split(range: &Range<u64>) -> impl Iterator<Item = Range<u64>> + use<> {
    let end = range.end;
    (range.start..end).step_by(PART as usize).map(move |start| start..end.min(start + PART))
}

fn join(mut parts: Vec<Bytes>) -> Bytes {
    if parts.len() == 1 {
        return parts.pop().unwrap_or_default();
    }
    let mut joined = BytesMut::with_capacity(parts.iter().map(Bytes::len).sum());
    for part in &parts {
        joined.extend_from_slice(part);
    }
    joined.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_ranges_are_fetched_together_and_far_ones_apart() {
        let far = 10 * GAP;
        assert_eq!(coalesce(&[far..far + 5, 0..10, 20..30, 5..5]), vec![0..30, far..far + 5]);
        assert!(coalesce(&[]).is_empty());
    }

    #[test]
    fn large_ranges_are_split_without_loss() {
        let parts: Vec<_> = split(&(7..7 + 2 * PART + 1)).collect();
        assert_eq!(parts, vec![7..7 + PART, 7 + PART..7 + 2 * PART, 7 + 2 * PART..7 + 2 * PART + 1]);
    }
}
