public import Values

/// The result of a check of a stream's hashes.
public enum HistoryCheck: Sendable, Hashable {
  /// Every event up to this version is unchanged.
  case intact(version: Int)
  /// From this version on, the history is not what was written.
  case broken(version: Int, why: String)
}

extension EventReading {
  /// Computes the hashes of a stream again and compares them.
  public func verify(_ stream: UniqueID) async throws(StoreError) -> HistoryCheck {
    var version = 0
    var hash = EventHash.start
    while true {
      let events = try await read(stream, after: version, limit: 500)
      if events.isEmpty { return .intact(version: version) }
      for event in events {
        guard event.version == version + 1 else {
          return .broken(version: version + 1, why: "version \(version + 1) is missing")
        }
        hash = EventHash.of(event, after: hash)
        guard event.hash == hash else {
          return .broken(version: event.version, why: "the hash of version \(event.version) doesn't match its content")
        }
        version = event.version
      }
    }
  }
}
