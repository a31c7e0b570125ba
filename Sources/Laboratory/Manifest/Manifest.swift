import JSON

/// The list that comes with a plate of tubes: a table as text. Its first line names the columns; each further line is one
/// tube.
///
/// Reading reports all errors of the table at once, each with its place. The participants check the tubes, so a wrong
/// barcode, volume or date is read unchanged.
public struct Manifest: Sendable {
  public struct Row: Sendable, Hashable {
    /// The line in the file where it begins, from 1.
    public let line: Int
    /// The row as a saga's input, members in the order of the columns. A field of a number column becomes a number if it
    /// can be read as one. An empty field becomes an empty string in a required column, and is left out in others.
    public let input: JSON
  }

  /// A required or optional column.
  public struct Column: Sendable, Hashable {
    /// The name of the member in the saga's input.
    public let name: String
    public let isRequired: Bool
    public let isNumber: Bool

    public init(_ name: String, isRequired: Bool = true, isNumber: Bool = false) {
      self.name = name
      self.isRequired = isRequired
      self.isNumber = isNumber
    }

    /// Returns the columns that a workflow's `inputSchema` names, one for each property; nil for a schema without any.
    public static func all(of schema: JSON?) -> [Column]? {
      guard let properties = schema?["properties"]?.objectValue, !properties.isEmpty else { return nil }
      let required = Set(schema?["required"]?.arrayValue?.compactMap(\.stringValue) ?? [])
      return properties.map { name, property in
        let type = property["type"]?.stringValue
        return Column(name, isRequired: required.contains(name), isNumber: type == "number" || type == "integer")
      }
    }
  }

  /// The columns in the order of the file.
  public let columns: [String]
  public let rows: [Row]

  /// The columns that `sample-processing` uses.
  public static let sampleProcessing: [Column] = [
    Column("barcode"), Column("type"), Column("volumeMl", isNumber: true), Column("temperature"), Column("patientId"),
    Column("priority"), Column("assay"), Column("requestedBy"), Column("collectedAt", isRequired: false),
    Column("well", isRequired: false),
  ]

  /// - Parameters:
  ///   - bytes: UTF-8, with or without a byte order mark, or UTF-16 with one.
  ///   - columns: the columns that are used. Names in the file match in any case and with any joints between words.
  public init(parsing bytes: [UInt8], columns known: [Column] = Manifest.sampleProcessing) throws(ManifestError) {
    let (text, firstLine, separator) = Self.separated(try ManifestText.decode(bytes), known)
    var reader = CSVReader(text, separator: separator, firstLine: firstLine)
    var records = reader.records()
    var faults = reader.faults
    if reader.isHeaderFaulty { throw ManifestError(faults) }
    guard let header = records.first else {
      throw ManifestError(faults + [.init(LabErrorCode.manifestColumns, line: 1, column: 1, "the manifest is empty")])
    }
    records.removeFirst()
    // A line that has only separators is an empty line of a spreadsheet.
    records.removeAll { $0.allSatisfy { ManifestText.isBlank($0.text) } }
    // A separator at the end of every line does not begin another field.
    let used = max(
      header.lastIndex { !ManifestText.isBlank($0.text) } ?? 0,
      records.map { $0.lastIndex { !ManifestText.isBlank($0.text) } ?? 0 }.max() ?? 0)
    let named = Self.columns(named: Array(header.prefix(used + 1)), known, &faults)
    let decimals = Decimals(separator: separator)
    var wells: [String: Int] = [:]
    var rows: [Row] = []
    for record in records {
      Self.checkFormulas(record, &faults)
      guard Self.hasAll(record, header.prefix(used + 1).count, &faults) else { continue }
      let row = Self.row(record, named, decimals)
      if let field = zip(named, record).first(where: { $0.0?.name == "well" })?.1 { Self.check(field, &wells, &faults) }
      rows.append(row)
    }
    faults += decimals.faults(in: records, named)
    guard faults.isEmpty else { throw ManifestError(faults) }
    columns = named.compactMap { $0?.name }
    self.rows = rows
  }

  // MARK: The header

  /// Returns the separator: the one in a first line `sep=;`, or else the one that finds the most columns in the header.
  private static func separated(
    _ text: String, _ known: [Column]
  ) -> (text: String, firstLine: Int, separator: Unicode.Scalar) {
    let (first, rest) = ManifestText.firstLine(of: text)
    let said = Array((first.hasPrefix("\"") ? String(first.dropFirst().dropLast()) : first).unicodeScalars)
    if said.count == 5, String(String.UnicodeScalarView(said.prefix(4))).lowercased() == "sep=" {
      return (rest, 2, said[4])
    }
    let names = Set(known.map { ManifestText.key($0.name) })
    func found(_ separator: Unicode.Scalar) -> Int {
      var header = CSVReader(first, separator: separator)
      return header.records().first?.count { names.contains(ManifestText.key($0.text)) } ?? 0
    }
    let separators: [Unicode.Scalar] = [",", ";", "\t", "|"]
    return (text, 1, separators.max { found($0) < found($1) } ?? ",")
  }

  /// Returns the column of each field of the header; nil for a field that names no column.
  private static func columns(
    named header: [CSVReader.Field], _ known: [Column], _ faults: inout [ManifestError.Fault]
  ) -> [Column?] {
    let byKey = Dictionary(known.map { (ManifestText.key($0.name), $0) }, uniquingKeysWith: { first, _ in first })
    var named: [Column?] = []
    func fault(_ field: CSVReader.Field, _ reason: String) -> ManifestError.Fault {
      .init(LabErrorCode.manifestColumns, line: field.line, column: field.column, reason)
    }
    for field in header {
      let column = byKey[ManifestText.key(field.text)]
      if let column, named.contains(column) {
        faults.append(fault(field, "the column “\(column.name)” comes twice"))
      } else if ManifestText.isBlank(field.text) {
        faults.append(fault(field, "a column has no name"))
      } else if column == nil {
        let names = known.map(\.name).joined(separator: ", ")
        faults.append(fault(field, "the column “\(field.text)” is not used; remove it, or name it one of \(names)"))
      }
      named.append(column)
    }
    let missing = known.filter { $0.isRequired && !named.contains($0) }.map(\.name)
    if !missing.isEmpty, let first = header.first {
      faults.append(fault(first, "the manifest has no column \(missing.joined(separator: ", "))"))
    }
    return named
  }

  // MARK: The rows

  private static func hasAll(
    _ record: [CSVReader.Field], _ count: Int, _ faults: inout [ManifestError.Fault]
  ) -> Bool {
    let isLong = record.dropFirst(count).contains { !ManifestText.isBlank($0.text) }
    guard record.count < count || isLong else { return true }
    let place = isLong ? record[count] : record[record.count - 1]
    faults.append(
      .init(
        LabErrorCode.manifestColumns, line: place.line, column: place.column,
        "the row has \(record.count) fields, but there are \(count) columns"))
    return false
  }

  private static func checkFormulas(_ record: [CSVReader.Field], _ faults: inout [ManifestError.Fault]) {
    for field in record where field.text.hasPrefix("=") || field.text.hasPrefix("@") {
      faults.append(.init(field, "the field is a formula; export values, not formulas"))
    }
  }

  /// Checks a well: it must be one of `A1` to `H12`, and must take only one tube.
  private static func check(
    _ field: CSVReader.Field, _ wells: inout [String: Int], _ faults: inout [ManifestError.Fault]
  ) {
    if field.text.isEmpty { return }
    guard let well = PositionName.well(named: field.text[...]) else {
      return faults.append(.init(field, "“\(field.text)” is not a well; a plate has A1 to H12"))
    }
    let name = PositionName(box: "", well: well).wellName
    if let line = wells.updateValue(field.line, forKey: name) {
      faults.append(.init(field, "the well \(field.text) is also that of line \(line)"))
    }
  }

  private static func row(
    _ record: [CSVReader.Field], _ columns: [Column?], _ decimals: Decimals
  ) -> Row {
    var input: JSONObject = [:]
    for (column, field) in zip(columns, record) {
      guard let column, !field.text.isEmpty || column.isRequired else { continue }
      if column.isNumber, let number = decimals.number(field.text) {
        input[column.name] = number
      } else {
        input[column.name] = .string(field.text)
      }
    }
    return Row(line: record[0].line, input: .object(input))
  }

  /// The decimal sign of the file. With semicolons as separators it may be a comma, as in most of Europe.
  private struct Decimals {
    let separator: Unicode.Scalar

    func number(_ text: String) -> JSON? {
      let isComma = separator == ";" && text.count { $0 == "," } == 1 && !text.contains(".")
      guard let value = try? JSON(parsing: isComma ? text.replacing(",", with: ".") : text), value.numberValue != nil
      else { return nil }
      return value
    }

    /// Returns the faults of mixed signs: with `1,5` in one row and `1.500` in another, the point is ambiguous.
    func faults(in records: [[CSVReader.Field]], _ columns: [Column?]) -> [ManifestError.Fault] {
      guard separator == ";" else { return [] }
      let fields = records.flatMap { record in
        zip(columns, record).compactMap { column, field in column?.isNumber == true ? field : nil }
      }
      guard fields.contains(where: { $0.text.contains(",") && number($0.text) != nil }) else { return [] }
      return fields.filter { $0.text.contains(".") && number($0.text) != nil }.map {
        .init($0, "“\($0.text)” has a decimal point, but other numbers have a decimal comma; write all in one way")
      }
    }
  }
}
