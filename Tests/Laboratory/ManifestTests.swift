import Foundation
import JSON
import TestSupport
import Testing

@testable import Laboratory

@Suite("A manifest", .timeLimit(.minutes(15)), .inTurn)
struct ManifestTests {
  static let header = "barcode,type,volumeMl,temperature,patientId,priority,assay,requestedBy,collectedAt\r\n"

  @Test func `quotes, commas and line breaks`() throws {
    let text = Self.header + "A,blood,1.5,+4,P,routine,wgs,a@b.example,\"a \"\"b\"\", c\nd\"\r\n,x,\"3,5\",,,,,,"
    let rows = try Manifest(parsing: Array(text.utf8)).rows
    #expect(rows.map(\.line) == [2, 4])
    #expect(rows[0].input["collectedAt"] == "a \"b\", c\nd" && rows[0].input["volumeMl"] == 1.5)
    #expect(rows[1].input["volumeMl"] == "3,5" && rows[1].input["barcode"] == "" && rows[1].input["collectedAt"] == nil)
  }

  @Test(arguments: [
    ("", 1, 1), ("a,b\n", 1, 1), (header + "A,blood\n", 2, 3), (header + "A,\"blood", 2, 3), (header + "A,b\"", 2, 4),
    (header + "\"A\"x", 2, 4), ("barcode,barcode\n", 1, 1),
  ])
  func located(text: String, line: Int, column: Int) {
    let error = #expect(throws: ManifestError.self) { try Manifest(parsing: Array(text.utf8)) }
    #expect(error?.line == line && error?.column == column, "\(String(describing: error))")
  }

  /// One tube in the columns of the header.
  static let tube = "A,blood,4.5,+4,P,routine,wgs,a@b.example,2026-03-01T08:15:00Z"
  static let input: JSON = [
    "barcode": "A", "type": "blood", "volumeMl": 4.5, "temperature": "+4", "patientId": "P", "priority": "routine",
    "assay": "wgs", "requestedBy": "a@b.example", "collectedAt": "2026-03-01T08:15:00Z",
  ]

  private static func utf8(_ text: String) -> [UInt8] { Array(text.utf8) }

  private static func utf16(_ text: String, isBig: Bool) -> [UInt8] {
    var bytes: [UInt8] = []
    for unit in ("\u{FEFF}" + text).utf16 {
      let (high, low) = (UInt8(unit >> 8), UInt8(unit & 0xFF))
      bytes += isBig ? [high, low] : [low, high]
    }
    return bytes
  }

  private static func separated(by separator: String) -> String {
    (header + tube).replacing(",", with: separator)
  }

  static let marked: [UInt8] = [0xEF, 0xBB, 0xBF]
  static let named =
    "\"Barcode\", Type ,Volume (ml),TEMPERATURE,Patient ID,\u{A0}priority,Assay,requested_by,Collected-At\n"
  static let padded: String = header.dropLast() + ",,\r\n" + tube + ",,\r\n,,,,,,,,,,\r\n \r\n\r\n"
  static let readable: [[UInt8]] = [
    utf8(header + tube), marked + utf8(header + tube + "\r\n"), utf8(separated(by: ";")), utf8(separated(by: "\t")),
    utf8(separated(by: "|")), utf8((header + tube).replacing("\r\n", with: "\r")),
    utf8("sep=;\r\n" + separated(by: ";")),
    utf8("\"sep=^\"\n" + separated(by: "^")), utf16(separated(by: "\t"), isBig: false),
    utf16(header + tube, isBig: true),
    utf8(header.uppercased() + tube), utf8(named + tube), utf8(padded),
    utf8(separated(by: ";").replacing("4.5", with: "4,5")),
  ]

  @Test(
    "A table is read, whatever separates its fields, ends its lines and encodes it",
    arguments: readable)
  func forms(bytes: [UInt8]) throws {
    let manifest = try Manifest(parsing: bytes)
    #expect(manifest.rows.map(\.input) == [Self.input])
    #expect(manifest.columns.count == 9)
  }

  @Test("All errors are reported at once, each with its place")
  func faults() {
    let text =
      "barcode,type,volumeMl,temperature,patientId,priority,assay,requestedBy,note,Barcode,well\n"
      + "A,blood\n=\"0012\",blood,1,+4,P,routine,wgs,a@b.example,n,B,A1\n"
      + "=A1,blood,1,+4,P,routine,wgs,a@b.example,n,B,A01\nC,blood,1,+4,P,routine,wgs,a@b.example,n,B,A01\n"
      + "D,blood,1,+4,P,routine,wgs,a@b.example,n,B,I1\n"
    let error = #expect(throws: ManifestError.self) { try Manifest(parsing: Array(text.utf8)) }
    let said = error?.faults.map { "\($0.line):\($0.column) \($0.reason)" } ?? []
    #expect(
      said == [
        "1:72 the column “note” is not used; remove it, or name it one of barcode, type, volumeMl, temperature, patientId, "
          + "priority, assay, requestedBy, collectedAt, well",
        "1:77 the column “barcode” comes twice", "2:3 the row has 2 fields, but there are 11 columns",
        "3:2 the field is a formula; export values, not formulas",
        "4:1 the field is a formula; export values, not formulas",
        "5:44 the well A01 is also that of line 4", "6:44 “I1” is not a well; a plate has A1 to H12",
      ])
    #expect(error?.message.split(separator: "\n").count == said.count)
  }

  static let latin1: [UInt8] = utf8("barcode,type\nM") + [0xDC] + utf8("-1,blood")
  static let mixed: String =
    separated(by: ";") + "\n" + tube.replacing(",", with: ";").replacing("4.5", with: "4,5")
  static let unreadable: [([UInt8], Int, String)] = [
    (latin1, 2, "UTF-8"), (utf8("barcode\0,type"), 1, "NUL"), ([0xFF, 0xFE, 0x41], 1, "UTF-16"),
    (utf8(mixed), 2, "decimal"),
  ]

  @Test("An encoding that loses letters, and numbers that can be read two ways, are refused", arguments: unreadable)
  func unclear(bytes: [UInt8], line: Int, word: String) {
    let error = #expect(throws: ManifestError.self) { try Manifest(parsing: bytes) }
    #expect(error?.line == line && error?.message.contains(word) == true, "\(error?.message ?? "")")
  }

  @Test("The columns are those of the workflow's input")
  func columnsOfAWorkflow() throws {
    let schema: JSON = ["required": ["id"], "properties": ["id": ["type": "string"], "count": ["type": "integer"]]]
    let columns = try #require(Manifest.Column.all(of: schema))
    #expect(columns == [.init("id"), .init("count", isRequired: false, isNumber: true)])
    let manifest = try Manifest(parsing: Array("ID,Count\nx,3\ny,\n".utf8), columns: columns)
    #expect(manifest.rows.map(\.input) == [["id": "x", "count": 3], ["id": "y"]])
    #expect(Manifest.Column.all(of: [:]) == nil)
  }

  @Test func `the example has 96 tubes, nine of them wrong`() throws {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("workflows/examples/plate-96.csv")
    let rows = try Manifest(parsing: Array(Data(contentsOf: file))).rows
    #expect(rows.count == 96)
    var seen: Set<String> = []
    let wrong = try rows.filter { row in
      var fields = try Fields(row.input)
      let barcode = fields.barcode()
      let type = fields.sampleType()
      let zone = fields.zone()
      _ = fields.volume()
      let repeated = barcode.map { !seen.insert($0.text).inserted } ?? false
      let keeps = type.map { type in zone.map(type.zones.contains) ?? false } ?? false
      return !fields.places.isEmpty || repeated || !keeps
    }
    #expect(wrong.count == 9)
  }
}
