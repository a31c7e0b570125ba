import Foundation
import JSON
import Testing

@testable import Laboratory

@Suite("A manifest")
struct ManifestTests {
  static let header = "barcode,type,volumeMl,temperature,patientId,priority,assay,requestedBy,note\r\n"

  @Test func `quotes, commas and line breaks`() throws {
    let text = Self.header + "A,blood,1.5,+4,P,routine,wgs,a@b.example,\"a \"\"b\"\", c\nd\"\r\n,x,\"3,5\",,,,,,"
    let rows = try Manifest(parsing: Array(text.utf8)).rows
    #expect(rows.map(\.line) == [2, 4])
    #expect(rows[0].input["note"] == "a \"b\", c\nd" && rows[0].input["volumeMl"] == 1.5)
    #expect(rows[1].input["volumeMl"] == "3,5" && rows[1].input["barcode"] == "" && rows[1].input["note"] == nil)
  }

  @Test(arguments: [
    ("", 1, 1), ("a,b\n", 1, 1), (header + "A,blood\n", 2, 3), (header + "A,\"blood", 2, 3), (header + "A,b\"", 2, 4),
    (header + "\"A\"x", 2, 4), ("a,a\n", 1, 3),
  ])
  func located(text: String, line: Int, column: Int) {
    let error = #expect(throws: ManifestError.self) { try Manifest(parsing: Array(text.utf8)) }
    #expect(error?.line == line && error?.column == column, "\(String(describing: error))")
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
