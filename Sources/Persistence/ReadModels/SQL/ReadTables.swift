/// The tables of one generation.
struct ReadTables: Sendable {
  let generation: Int

  /// The table by which lists are filtered and sorted. It is narrow, because very many of its rows are read.
  var sagas: String { "sagas_\(generation)" }
  /// The table with the displayed data of a saga. Only the rows of one page are read.
  var rows: String { "saga_rows_\(generation)" }
  var terms: String { "saga_terms_\(generation)" }
  var facets: String { "saga_facets_\(generation)" }
  var minutes: String { "step_minutes_\(generation)" }
  var durations: String { "step_durations_\(generation)" }
  var all: [String] { [sagas, rows, terms, facets, minutes, durations] }

  /// The version of the tables' shape. A file or schema of another shape is dropped and filled again from the events.
  static let schema: Int64 = 6

  /// Returns the SQL of the tables that exist once for all generations.
  static func shared(_ dialect: ReadDialect) -> String {
    """
    CREATE TABLE IF NOT EXISTS read_model (
      one integer PRIMARY KEY CHECK (one = 1),
      shape bigint NOT NULL,
      last bigint NOT NULL,
      current bigint NOT NULL,
      building bigint NOT NULL
    );
    CREATE TABLE IF NOT EXISTS read_checkpoints (
      generation bigint NOT NULL,
      shard bigint NOT NULL,
      position bigint NOT NULL,
      hash \(dialect.bytes) NOT NULL,
      PRIMARY KEY (generation, shard)
    );
    """
  }

  func create(_ dialect: ReadDialect) -> String {
    let g = generation
    return """
      CREATE TABLE \(sagas) (
        id \(dialect.id) NOT NULL,
        workflow \(dialect.text) NOT NULL,
        version bigint NOT NULL,
        status \(dialect.text) NOT NULL,
        code \(dialect.text) NOT NULL,
        cause \(dialect.text) NOT NULL,
        errors \(dialect.text) NOT NULL,
        steps \(dialect.text) NOT NULL,
        started_at bigint NOT NULL,
        updated_at bigint NOT NULL,
        ended_at bigint,
        overdue_at bigint,
        attempts bigint NOT NULL,
        need \(dialect.text) NOT NULL,
        need_since bigint,
        late \(dialect.text) NOT NULL,
        marks \(dialect.text) NOT NULL,
        words \(dialect.text) NOT NULL,
        PRIMARY KEY (id)
      )\(dialect.clustered);
      CREATE INDEX sagas_\(g)_started ON \(sagas) (started_at, id);
      CREATE INDEX sagas_\(g)_updated ON \(sagas) (updated_at, id);
      CREATE INDEX sagas_\(g)_ended ON \(sagas) (ended_at, id) WHERE ended_at IS NOT NULL;
      CREATE INDEX sagas_\(g)_overdue ON \(sagas) (overdue_at, id) WHERE overdue_at IS NOT NULL;
      CREATE INDEX sagas_\(g)_need ON \(sagas) (need, need_since, id) WHERE need <> '';
      CREATE INDEX sagas_\(g)_attempts ON \(sagas) (attempts, id) WHERE attempts > 1;

      CREATE TABLE \(rows) (
        id \(dialect.id) NOT NULL,
        data \(dialect.text) NOT NULL,
        PRIMARY KEY (id)
      )\(dialect.clustered);

      CREATE TABLE \(terms) (
        term \(dialect.text) NOT NULL,
        started_at bigint NOT NULL,
        id \(dialect.id) NOT NULL,
        PRIMARY KEY (term, started_at, id)
      )\(dialect.clustered);

      CREATE TABLE \(facets) (
        workflow \(dialect.text) NOT NULL,
        version bigint NOT NULL,
        status \(dialect.text) NOT NULL,
        errors \(dialect.text) NOT NULL,
        steps \(dialect.text) NOT NULL,
        code \(dialect.text) NOT NULL,
        cause \(dialect.text) NOT NULL,
        digest \(dialect.text) NOT NULL,
        sagas bigint NOT NULL,
        PRIMARY KEY (digest)
      )\(dialect.clustered);

      CREATE TABLE \(minutes) (
        workflow \(dialect.text) NOT NULL,
        step \(dialect.text) NOT NULL,
        minute bigint NOT NULL,
        started bigint NOT NULL,
        succeeded bigint NOT NULL,
        failed bigint NOT NULL,
        retried bigint NOT NULL,
        undone bigint NOT NULL,
        PRIMARY KEY (workflow, minute, step)
      )\(dialect.clustered);

      CREATE TABLE \(durations) (
        workflow \(dialect.text) NOT NULL,
        step \(dialect.text) NOT NULL,
        minute bigint NOT NULL,
        bucket bigint NOT NULL,
        steps bigint NOT NULL,
        PRIMARY KEY (workflow, minute, step, bucket)
      )\(dialect.clustered);
      """
  }

  /// Returns the generation of a table with this name; nil when the table does not belong to a generation.
  static func generation(ofTable name: String) -> Int? {
    guard let number = name.split(separator: "_").last.flatMap({ Int($0) }) else { return nil }
    return ReadTables(generation: number).all.contains(name) ? number : nil
  }

  var drop: String { all.map { "DROP TABLE IF EXISTS \($0);" }.joined(separator: "\n") }
}
