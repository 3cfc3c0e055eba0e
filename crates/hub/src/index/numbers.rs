//! Which numbers of a site have arrived: its alerts are numbered without gaps, so that what is missing can be asked for.

use rusqlite::{Connection, OptionalExtension, params};

use crate::{HubError, flow::SiteId};

/// After so many questions without an answer the box no longer has it.
const GIVE_UP_AFTER: u32 = 6;

/// Most gaps of one site; beyond it the lowest are given up. A box in order has few.
const MOST_GAPS: u32 = 2000;

/// Numbers that have not arrived, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) first: u64,
    pub(crate) last: u64,
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Number `n` of `site` is there.
pub(super) fn arrived(database: &Connection, site: &SiteId, n: u64) -> Result<(), HubError> {
    let highest = highest(database, site)?;
    if n > highest {
        if n > highest + 1 {
            insert(database, site, highest + 1, n - 1, 0)?;
        }
        database.execute(
            "INSERT INTO sites (site, highest) VALUES (?1, ?2)
             ON CONFLICT (site) DO UPDATE SET highest = excluded.highest",
            params![site.as_str(), signed(n)],
        )?;
        return Ok(());
    }
    let around = database
        .query_row(
            "SELECT first, last, asked FROM missing WHERE site = ?1 AND first <= ?2 AND last >= ?2",
            params![site.as_str(), signed(n)],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    let Some((first, last, asked)): Option<(i64, i64, u32)> = around else {
        return Ok(());
    };
    let (first, last) = (first.cast_unsigned(), last.cast_unsigned());
    database.execute(
        "DELETE FROM missing WHERE site = ?1 AND first = ?2",
        params![site.as_str(), signed(first)],
    )?;
    if first < n {
        insert(database, site, first, n - 1, asked)?;
    }
    if n < last {
        insert(database, site, n + 1, last, asked)?;
    }
    Ok(())
}

fn insert(
    database: &Connection,
    site: &SiteId,
    first: u64,
    last: u64,
    asked: u32,
) -> Result<(), HubError> {
    database.execute(
        "INSERT OR REPLACE INTO missing (site, first, last, asked) VALUES (?1, ?2, ?3, ?4)",
        params![site.as_str(), signed(first), signed(last), asked],
    )?;
    database
        .prepare_cached(
            "DELETE FROM missing WHERE site = ?1 AND first <= (
                 SELECT first FROM missing WHERE site = ?1 ORDER BY first DESC LIMIT 1 OFFSET ?2)",
        )?
        .execute(params![site.as_str(), MOST_GAPS])?;
    Ok(())
}

/// The highest number of `site`; 0 before the first.
pub(super) fn highest(database: &Connection, site: &SiteId) -> Result<u64, HubError> {
    let found: Option<i64> = database
        .prepare_cached("SELECT highest FROM sites WHERE site = ?1")?
        .query_row([site.as_str()], |row| row.get(0))
        .optional()?;
    Ok(found.unwrap_or(0).cast_unsigned())
}

/// The gaps, lowest first.
pub(super) fn missing(database: &Connection, site: &SiteId) -> Result<Vec<Missing>, HubError> {
    let mut rows = database
        .prepare_cached("SELECT first, last FROM missing WHERE site = ?1 ORDER BY first")?;
    let gaps = rows.query_map([site.as_str()], |row| {
        Ok(Missing {
            first: row.get::<_, i64>(0)?.cast_unsigned(),
            last: row.get::<_, i64>(1)?.cast_unsigned(),
        })
    })?;
    Ok(gaps.collect::<Result<_, _>>()?)
}

/// Notes a question; true when it was the last one, and the gap is given up.
pub(super) fn asked(
    database: &Connection,
    site: &SiteId,
    missing: Missing,
) -> Result<bool, HubError> {
    let key = params![site.as_str(), signed(missing.first)];
    database.execute(
        "UPDATE missing SET asked = asked + 1 WHERE site = ?1 AND first = ?2",
        key,
    )?;
    let given_up = database.execute(
        "DELETE FROM missing WHERE site = ?1 AND first = ?2 AND asked >= ?3",
        params![site.as_str(), signed(missing.first), GIVE_UP_AFTER],
    )?;
    Ok(given_up > 0)
}
