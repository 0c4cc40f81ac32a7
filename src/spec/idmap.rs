//! The ids behind crun's mount option `idmap=uids=0-1000-10#20-2000-1;gids=@0-0-10`: the first id in the
//! filesystem, the first one that is shown for it, and how many; with `@` the latter is an id of the
//! container.

use super::config::{IdMapping, Linux};

/// Both maps, in the ids of the caller.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Maps {
    /// For uids.
    pub uids: Vec<IdMapping>,
    /// For gids.
    pub gids: Vec<IdMapping>,
}

/// Reads the text behind `idmap=`.
///
/// # Errors
/// What is wrong with it, in words.
pub fn parse(text: &str, linux: Option<&Linux>) -> Result<Maps, String> {
    let mut maps = Maps::default();
    for part in text.split(';') {
        let (list, triplets, inside) = match part.split_once('=') {
            Some(("uids", triplets)) => (&mut maps.uids, triplets, linux.map(|l| &l.uid_mappings)),
            Some(("gids", triplets)) => (&mut maps.gids, triplets, linux.map(|l| &l.gid_mappings)),
            _ => return Err(format!("{part:?} is neither uids=… nor gids=…")),
        };
        for text in triplets.split('#') {
            list.push(triplet(text, inside.map_or(&[], Vec::as_slice))?);
        }
    }
    match (maps.uids.is_empty(), maps.gids.is_empty()) {
        (false, false) => Ok(maps),
        (true, _) => Err("has no uids=…".into()),
        (_, true) => Err("has no gids=…".into()),
    }
}

fn triplet(text: &str, inside: &[IdMapping]) -> Result<IdMapping, String> {
    let (relative, numbers) = match text.strip_prefix('@') {
        Some(numbers) => (true, numbers),
        None => (false, text),
    };
    let numbers: Option<Vec<u32>> = numbers.split('-').map(|number| number.parse().ok()).collect();
    let Some([container_id, host_id, size]) = numbers.as_deref().and_then(|n| <[u32; 3]>::try_from(n).ok())
    else {
        return Err(format!("{text:?} is not three numbers with `-` between"));
    };
    let host_id = match relative {
        true => outside(inside, host_id, size)
            .ok_or_else(|| format!("{text:?}: the user namespace does not map these ids as one range"))?,
        false => host_id,
    };
    Ok(IdMapping { container_id, host_id, size })
}

/// The first host id of a range of the container.
fn outside(inside: &[IdMapping], first: u32, size: u32) -> Option<u32> {
    let holds = |m: &&IdMapping| {
        first >= m.container_id && u64::from(first - m.container_id) + u64::from(size) <= u64::from(m.size)
    };
    inside.iter().find(holds).map(|m| m.host_id + (first - m.container_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(container_id: u32, host_id: u32, size: u32) -> IdMapping {
        IdMapping { container_id, host_id, size }
    }

    #[test]
    fn ranges_are_read_in_the_order_of_a_uid_map() {
        let maps = parse("uids=0-1000-10#20-2000-1;gids=5-6-7", None).unwrap();
        assert_eq!(maps.uids, [map(0, 1000, 10), map(20, 2000, 1)]);
        assert_eq!(maps.gids, [map(5, 6, 7)]);
    }

    #[test]
    fn an_at_sign_makes_the_second_an_id_of_the_container() {
        let linux = Linux {
            uid_mappings: vec![map(0, 100_000, 10)],
            gid_mappings: vec![map(0, 5, 1), map(1, 200_000, 10)],
            ..Linux::default()
        };
        let maps = parse("uids=@0-3-7;gids=@0-2-9", Some(&linux)).unwrap();
        assert_eq!((maps.uids[0].host_id, maps.gids[0].host_id), (100_003, 200_001));
        assert!(parse("uids=@0-3-8;gids=@0-2-9", Some(&linux)).unwrap_err().contains("as one range"));
        assert!(parse("uids=@0-3-8;gids=@0-2-9", None).is_err());
    }

    #[test]
    fn what_is_no_mapping_is_refused() {
        for bad in [
            "",
            "uids=0-1-2",
            "gids=0-1-2",
            "uids=0-1;gids=0-1-2",
            "uids=0-1-2-3;gids=0-1-2",
            "uids=0-x-2;gids=0-1-2",
            "uids=;gids=0-1-2",
            "ids=0-1-2",
            "uids=0-1-2-x;gids=0-1-2",
        ] {
            assert!(parse(bad, None).is_err(), "{bad}");
        }
    }
}
