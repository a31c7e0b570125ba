import Persistence
import Values

/// The reads of a writer. All of them run in the session that owns the locks.
extension PostgresWriter {
  /// Loads the ends of the streams. The end of a new stream is not read. If that stream exists, its key conflicts, and
  /// `looking` reads it.
  func loadHeads(
    of group: [PendingAppend], looking: Bool, on connection: PostgresConnection
  ) throws(PostgresError) {
    var unknown: [UniqueID: Int] = [:]
    for pending in group where looking || pending.append.expectedVersion > 0 {
      if heads[pending.append.stream] == nil { unknown[pending.append.stream] = pending.month }
    }
    if unknown.isEmpty { return }
    let streams = unknown.sorted { $0.key < $1.key }
    let call = PostgresCall(PostgresStatements.heads) {
      $0.append(PostgresArray(streams.map(\.value)))
      $0.append(PostgresArray(streams.map(\.key)))
    }
    for row in try connection.run(call).rows {
      let head = StreamHead(version: try row.int4(1), hash: try row.bytes(2), position: try row.int8(3))
      heads.remember(head, of: try row.uuid(0))
    }
  }

  /// Returns the answer for each append whose first event is in the store with its append id: it was committed before.
  func repetitions(
    of group: [PendingAppend], on connection: PostgresConnection
  ) throws(PostgresError) -> [UInt64: Result<Appended, StoreError>] {
    if group.isEmpty { return [:] }
    let call = PostgresCall(PostgresStatements.committedAppends) {
      $0.append(PostgresArray(Array(group.indices)))
      $0.append(PostgresArray(group.map(\.month)))
      $0.append(PostgresArray(group.map(\.append.stream)))
      $0.append(PostgresArray(group.map { $0.append.expectedVersion + 1 }))
      $0.append(PostgresArray(group.map(\.append.lastVersion)))
    }
    var found: [Int: [Int: (appendID: UniqueID, position: Int64)]] = [:]
    for row in try connection.run(call).rows {
      found[try row.int4(0), default: [:]][try row.int4(1)] = (try row.uuid(2), try row.int8(3))
    }
    var verdicts: [UInt64: Result<Appended, StoreError>] = [:]
    for (index, versions) in found {
      let append = group[index].append
      guard versions[append.expectedVersion + 1]?.appendID == append.appendID else { continue }
      if let last = versions[append.lastVersion], last.appendID == append.appendID {
        verdicts[group[index].id] = .success(
          Appended(version: append.lastVersion, position: last.position, repeated: true))
      } else {
        verdicts[group[index].id] = .failure(
          .invalid("the append id \(append.appendID) has named another append before"))
      }
    }
    return verdicts
  }

  func takenStartKeys(
    of group: [PendingAppend], on connection: PostgresConnection
  ) throws(PostgresError) -> [UInt64: StartKey] {
    let keyed = group.compactMap { pending in pending.append.startKey.map { (pending, $0) } }
    if keyed.isEmpty { return [:] }
    let call = PostgresCall(PostgresStatements.takenStartKeys) {
      $0.append(PostgresArray(Array(keyed.indices)))
      $0.append(PostgresArray(keyed.map(\.0.shard)))
      $0.append(PostgresArray(keyed.map(\.1.scope)))
      $0.append(PostgresArray(keyed.map(\.1.key)))
    }
    var taken: [UInt64: StartKey] = [:]
    for row in try connection.run(call).rows {
      taken[keyed[try row.int4(0)].0.id] = StartKey(
        scope: try row.text(1), key: try row.text(2), stream: try row.uuid(3), digest: try row.bytes(4))
    }
    return taken
  }

  /// Returns the conflict of each append: a value to claim that has an owner and that the same append does not release,
  /// or a value to release that another stream owns. No unique key prevents the second conflict, so it is always read.
  func takenClaims(
    of group: [PendingAppend], looking: Bool, on connection: PostgresConnection
  ) throws(PostgresError) -> [UInt64: Claim] {
    let asked = group.flatMap { pending -> [(PendingAppend, ClaimName, isRelease: Bool)] in
      let releases = pending.append.releases.map { (pending, $0, true) }
      return releases + (looking ? pending.append.claims.map { (pending, $0.name, false) } : [])
    }
    if asked.isEmpty { return [:] }
    let call = PostgresCall(PostgresStatements.takenClaims) {
      $0.append(PostgresArray(Array(asked.indices)))
      $0.append(PostgresArray(asked.map { Shard.ofKey($0.1.scope, $0.1.value, count: store.shardCount) }))
      $0.append(PostgresArray(asked.map(\.1.scope)))
      $0.append(PostgresArray(asked.map(\.1.value)))
    }
    var taken: [UInt64: Claim] = [:]
    for row in try connection.run(call).rows {
      let (pending, name, isRelease) = asked[try row.int4(0)]
      let claim = Claim(
        scope: try row.text(1), value: try row.text(2), stream: try row.uuid(3),
        data: try row.isNull(4) ? nil : try row.bytes(4))
      let exact = ExactName(name.scope, name.value)
      let letGo = !isRelease && pending.append.releases.contains { ExactName($0.scope, $0.value) == exact }
      if isRelease ? claim.stream != pending.append.stream : !letGo { taken[pending.id] = claim }
    }
    return taken
  }
}
