import Values

extension SQLReadStore {
  public func list(_ query: SagaQuery, after: SagaCursor?, limit: Int) async throws(StoreError) -> SagaRows {
    try await database.read { [limits] session throws(StoreError) in
      let list = SagaListing(session, try Self.current(session), query, limits)
      return try list.page(after: after, limit: limit)
    }
  }

  public func facets(_ query: SagaQuery) async throws(StoreError) -> SagaFacets {
    try await database.read { [limits] session throws(StoreError) in
      let tables = try Self.current(session)
      var facets = SagaFacets()
      guard query.isCounted else {
        var unsorted = query
        // Facets count all matching sagas. An order that shows only some sagas would count only those.
        unsorted.sort = .newest
        return try SagaListing(session, tables, unsorted, limits).facets()
      }
      let keys = try session.query(
        "SELECT workflow, version, status, errors, steps, code, cause, sagas FROM \(tables.facets) WHERE sagas > 0", [],
        FacetKey.counted)
      for (key, count) in keys where key.matches(query) { facets.add(key, count) }
      return facets
    }
  }

  public func incidents(
    _ query: IncidentQuery, after: IncidentCursor?, limit: Int
  ) async throws(StoreError) -> SagaIncidents {
    try await database.read { [limits] session throws(StoreError) in
      try IncidentListing(
        session: session, tables: try Self.current(session), query: query, most: limits.grouped
      ).page(after: after, limit: limit)
    }
  }

  public func minutes(workflow: String, _ range: MomentRange) async throws(StoreError) -> [StepMinute] {
    let values: [SQLValue] = [
      .text(workflow), .int(range.from?.milliseconds ?? Int64.min), .int(range.before?.milliseconds ?? Int64.max),
    ]
    return try await database.read { session throws(StoreError) in
      let tables = try Self.current(session)
      var minutes = try session.query(
        """
        SELECT step, minute, started, succeeded, failed, retried, undone FROM \(tables.minutes)
        WHERE workflow = $1 AND minute >= $2 AND minute < $3 ORDER BY minute, step
        """, values
      ) { row throws(StoreError) in
        var minute = StepMinute(
          workflow: workflow, step: try row.text(0), at: Timestamp(milliseconds: try row.int(1)))
        minute.started = Int(try row.int(2))
        minute.succeeded = Int(try row.int(3))
        minute.failed = Int(try row.int(4))
        minute.retried = Int(try row.int(5))
        minute.undone = Int(try row.int(6))
        return minute
      }
      struct Place: Hashable {
        let step: TextKey
        let at: Timestamp
      }
      let places = Dictionary(
        minutes.enumerated().map { (Place(step: TextKey($1.step), at: $1.at), $0) },
        uniquingKeysWith: { first, _ in first })
      let durations = try session.query(
        """
        SELECT step, minute, bucket, steps FROM \(tables.durations)
        WHERE workflow = $1 AND minute >= $2 AND minute < $3
        """, values
      ) { row throws(StoreError) in
        (
          place: Place(step: TextKey(try row.text(0)), at: Timestamp(milliseconds: try row.int(1))),
          bucket: Int(try row.int(2)), count: Int(try row.int(3))
        )
      }
      for (place, bucket, count) in durations {
        if let index = places[place] { minutes[index].durations.add(count, in: bucket) }
      }
      return minutes
    }
  }
}
