import Persistence

/// The statements of the read models, which have their own schema.
struct PostgresDocuments {
  private let documents: String
  private let fields: String

  init(_ names: PostgresNames) {
    documents = names.read + ".documents"
    fields = names.read + ".document_fields"
  }

  // MARK: Writing

  func calls(for batch: ProjectionBatch) -> [PostgresCall] {
    var calls: [PostgresCall] = []
    // The order is always the same. So two followers never deadlock.
    let upserts = batch.upserts.sorted { TextKey($0.collection, $0.id) < TextKey($1.collection, $1.id) }
    if !upserts.isEmpty {
      var data = PostgresArray(.bytes)
      for document in upserts { data.append(document.data) }
      let names = [PostgresArray(upserts.map(\.collection)), PostgresArray(upserts.map(\.id))]
      calls.append(
        PostgresCall(upsertDocuments) {
          for array in names { $0.append(array) }
          $0.append(PostgresArray(upserts.map(\.sort)))
          $0.append(data)
        })
      let rows = upserts.flatMap { document in
        document.fields.sorted { TextKey($0.key) < TextKey($1.key) }.map { (document, $0.key, $0.value) }
      }
      let keys = [
        PostgresArray(rows.map(\.0.collection)), PostgresArray(rows.map(\.0.id)), PostgresArray(rows.map(\.1)),
      ]
      calls.append(PostgresCall(removeStaleFields) { for array in names + keys { $0.append(array) } })
      calls.append(
        PostgresCall(upsertFields) {
          for array in keys { $0.append(array) }
          $0.append(PostgresArray(rows.map(\.2)))
          $0.append(PostgresArray(rows.map(\.0.sort)))
        })
    }
    if !batch.deletes.isEmpty {
      let deletes = batch.deletes.sorted { TextKey($0.collection, $0.id) < TextKey($1.collection, $1.id) }
      for statement in [deleteDocuments, deleteFields] {
        calls.append(
          PostgresCall(statement) {
            $0.append(PostgresArray(deletes.map(\.collection)))
            $0.append(PostgresArray(deletes.map(\.id)))
          })
      }
    }
    return calls
  }

  func reset(follower: String, collections: Set<String>) -> [PostgresCall] {
    let forget = PostgresStatement("checkpoint_reset", "DELETE FROM checkpoints WHERE follower = $1")
    return [PostgresCall(forget) { $0.append(follower) }]
      + [documents, fields].map { table in
        let empty = PostgresStatement("reset_\(table)", "DELETE FROM \(table) WHERE collection = ANY ($1)")
        return PostgresCall(empty) { $0.append(PostgresArray(collections.sorted())) }
      }
  }

  private var upsertDocuments: PostgresStatement {
    PostgresStatement(
      "documents_put",
      """
      INSERT INTO \(documents) (collection, id, sort, data)
      SELECT d.collection, d.id, d.sort, d.data FROM unnest($1, $2, $3, $4) AS d (collection, id, sort, data)
      ON CONFLICT (collection, id) DO UPDATE SET sort = excluded.sort, data = excluded.data
      """)
  }

  private var removeStaleFields: PostgresStatement {
    PostgresStatement(
      "document_fields_stale",
      """
      DELETE FROM \(fields) f USING unnest($1, $2) AS d (collection, id)
      WHERE f.collection = d.collection AND f.id = d.id AND NOT EXISTS (
        SELECT FROM unnest($3, $4, $5) AS k (collection, id, name)
        WHERE k.collection = f.collection AND k.id = f.id AND k.name = f.name)
      """)
  }

  private var upsertFields: PostgresStatement {
    PostgresStatement(
      "document_fields_put",
      """
      INSERT INTO \(fields) AS f (collection, id, name, value, sort)
      SELECT k.collection, k.id, k.name, k.value, k.sort
      FROM unnest($1, $2, $3, $4, $5) AS k (collection, id, name, value, sort)
      ON CONFLICT (collection, id, name) DO UPDATE SET value = excluded.value, sort = excluded.sort
      WHERE (f.value, f.sort) IS DISTINCT FROM (excluded.value, excluded.sort)
      """)
  }

  private var deleteDocuments: PostgresStatement {
    PostgresStatement(
      "documents_remove",
      """
      DELETE FROM \(documents) d USING unnest($1, $2) AS r (collection, id)
      WHERE d.collection = r.collection AND d.id = r.id
      """)
  }

  private var deleteFields: PostgresStatement {
    PostgresStatement(
      "document_fields_remove",
      """
      DELETE FROM \(fields) f USING unnest($1, $2) AS r (collection, id)
      WHERE f.collection = r.collection AND f.id = r.id
      """)
  }

  // MARK: Reading

  /// Returns the columns of a document. Its fields are two arrays in the same order.
  private func columns(_ document: String) -> String {
    let own = "WHERE f.collection = \(document).collection AND f.id = \(document).id ORDER BY f.name"
    return """
      \(document).id, \(document).sort, \(document).data,
      ARRAY(SELECT f.name FROM \(fields) f \(own)), ARRAY(SELECT f.value FROM \(fields) f \(own))
      """
  }

  func call(for ids: [String], of collection: String) -> PostgresCall {
    let statement = PostgresStatement(
      "documents_by_id",
      "SELECT \(columns("d")) FROM \(documents) d WHERE d.collection = $1 AND d.id = ANY ($2) ORDER BY d.id")
    return PostgresCall(statement) {
      $0.append(collection)
      $0.append(PostgresArray(ids))
    }
  }

  /// Returns the statement for a query. Its text depends only on the shape of the query; all values are parameters.
  /// With fields, the page is read in order from the index of the first field, and the other fields are checked on each
  /// row.
  func call(for query: DocumentQuery) -> PostgresCall {
    let wanted = query.fields.sorted { TextKey($0.key) < TextKey($1.key) }
    var parameters = PostgresParameters()
    var count = 0
    func next(_ text: String) -> String {
      parameters.append(text)
      count += 1
      return "$\(count)"
    }
    let driver = wanted.isEmpty ? "d" : "f0"
    var conditions = ["\(driver).collection = \(next(query.collection))"]
    for (index, field) in wanted.enumerated() {
      if index == 0 {
        conditions.append("f0.name = \(next(field.key)) AND f0.value = \(next(field.value))")
      } else {
        conditions.append(
          """
          EXISTS (SELECT FROM \(fields) x WHERE x.collection = f0.collection AND x.id = f0.id
          AND x.name = \(next(field.key)) AND x.value = \(next(field.value)))
          """)
      }
    }
    var shape = "\(wanted.count)"
    if let from = query.sortFrom {
      conditions.append("\(driver).sort >= \(next(from))")
      shape += "_from"
    }
    if let below = query.sortBelow {
      conditions.append("\(driver).sort < \(next(below))")
      shape += "_below"
    }
    if let after = query.after {
      conditions.append(
        "(\(driver).sort, \(driver).id) \(query.descending ? "<" : ">") (\(next(after.sort)), \(next(after.id)))")
      shape += "_after"
    }
    let order = query.descending ? "DESC" : "ASC"
    let source =
      wanted.isEmpty
      ? "\(documents) d" : "\(fields) f0 JOIN \(documents) d ON d.collection = f0.collection AND d.id = f0.id"
    parameters.append(Int64(max(query.limit, 0)))
    let statement = PostgresStatement(
      "documents_\(shape)_\(order)",
      """
      SELECT \(columns("d")) FROM \(source)
      WHERE \(conditions.joined(separator: " AND "))
      ORDER BY \(driver).sort \(order), \(driver).id \(order) LIMIT $\(count + 1)
      """)
    return PostgresCall(statement, parameters: parameters)
  }
}
