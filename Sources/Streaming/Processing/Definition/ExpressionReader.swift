import JSON
import Values
import Workflows

/// Reads the expressions of a stream, and checks that they read what an event has.
struct ExpressionReader: ExpressionReading {
  let report: Report

  private static let attributes = [
    "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data", "kafka",
  ]
  static let kafkaMembers = ["topic", "partition", "offset", "key", "timestamp"]

  func check(_ queries: [ReferencedQuery], at pointer: JSONPointer, offset: Int) {
    for query in queries {
      let read = QueryRead(query)
      func error(_ token: Int, _ message: String, near: String?) {
        report.error(
          StreamingErrorCode.streamInvalid, message, at: pointer, .inside(max(0, offset + read.offsets[token])),
          near: near)
      }
      switch read.tokens.first {
      case .index: error(0, "an event is an object: it has members, no elements", near: nil)
      case .name("kafka"):
        guard let member = read.name(1), !Self.kafkaMembers.contains(member) else { continue }
        error(
          1, "\"kafka\" has no \"\(member)\": it has \(Self.kafkaMembers.joined(separator: ", "))",
          near: NearNames.nearest(to: member, among: Self.kafkaMembers))
      case .name(let name):
        guard !Self.attributes.contains(name) else { continue }
        // A CloudEvent may have attributes of its own, in lower case; hardly ones that are misspelt like that.
        let near = NearNames.nearest(to: name, among: Self.attributes, within: 1)
        guard near != nil || !Self.mayBeExtension(name) else { continue }
        error(0, "an event has no \"\(name)\": it has \(Self.attributes.joined(separator: ", "))", near: near)
      case nil: continue
      }
    }
  }

  private static func mayBeExtension(_ name: String) -> Bool {
    !name.isEmpty
      && name.utf8.allSatisfy { byte in
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
      }
  }
}
