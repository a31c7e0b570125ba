/// A whole store: streams of events, each numbered from 1, and beside them what must be true in the same transaction (start
/// keys, claims, which streams are open), snapshots, definitions, and read models. A caller that needs a part of it takes
/// that part's protocol.
///
/// Rules that every store holds, and that the conformance suite in `Tests/Persistence` tries on each of them:
/// - An append is all or nothing, whatever it travels with.
/// - Versions of a stream are contiguous from 1. Positions of a shard are contiguous from 1 and commit in order, so that
///   a reader of the tail never misses an event that committed late.
/// - Appending again with the same `appendID` changes nothing and gives the first answer, also after a restart.
/// - What a function has returned is durable (but in memory).
///
/// Texts are compared byte by byte in UTF-8, never by canonical equivalence, and must not hold U+0000.
public protocol EventStore: EventLog, KeysAndClaims, SnapshotStore, DefinitionStore, DocumentStore, ShardOwnership {}
