import Persistence

extension PostgresStore {
  public func put(_ definition: StoredDefinition) async throws(StoreError) -> DefinitionPut {
    try definition.validate()
    let kept = try await pool.run(.repeatableWrite) { (connection) throws(PostgresError) -> [UInt8]? in
      let insert = PostgresCall(Self.insertDefinition) {
        $0.append(definition.name)
        $0.append(int4: definition.version)
        $0.append(definition.registeredAt)
        $0.append(definition.registeredBy)
        $0.append(definition.digest)
        $0.append(definition.data)
      }
      if try connection.run(insert).affectedRows == 1 { return nil }
      return try Self.definitions(connection, definition.name, definition.version).first?.digest
    }
    guard let kept else { return .new }
    guard kept == definition.digest else { throw .definitionConflict(definition) }
    return .same
  }

  public func definition(name: String, version: Int?) async throws(StoreError) -> StoredDefinition? {
    try checkText(name, "a definition's name")
    return try await pool.run { (connection) throws(PostgresError) in
      try Self.definitions(connection, name, version).last
    }
  }

  public func definitions(name: String?) async throws(StoreError) -> [StoredDefinition] {
    if let name { try checkText(name, "a definition's name") }
    return try await pool.run { (connection) throws(PostgresError) in
      try Self.definitions(connection, name, nil)
    }
  }

  private static func definitions(
    _ connection: PostgresConnection, _ name: String?, _ version: Int?
  ) throws(PostgresError) -> [StoredDefinition] {
    let call = PostgresCall(readDefinitions) {
      if let name { $0.append(name) } else { $0.append(null: .text) }
      if let version { $0.append(int4: version) } else { $0.append(null: .int4) }
    }
    var definitions: [StoredDefinition] = []
    for row in try connection.run(call).rows {
      definitions.append(
        StoredDefinition(
          name: try row.text(0), version: try row.int4(1), digest: try row.bytes(4), data: try row.bytes(5),
          registeredBy: try row.text(3), registeredAt: try row.timestamp(2)))
    }
    return definitions
  }

  private static let insertDefinition = PostgresStatement(
    "definition_add",
    """
    INSERT INTO definitions (name, version, registered_at, registered_by, digest, data)
    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING
    """)

  private static let readDefinitions = PostgresStatement(
    "definitions",
    """
    SELECT name, version, registered_at, registered_by, digest, data FROM definitions
    WHERE ($1 IS NULL OR name = $1) AND ($2 IS NULL OR version = $2)
    ORDER BY name, version
    """)
}
