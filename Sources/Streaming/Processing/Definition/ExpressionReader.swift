import JSON
import Values
import Workflows

/// Reads the expressions of a stream, and checks that they read what an event has.
struct ExpressionReader {
  let report: Report

  private static let attributes = [
    "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data", "kafka",
  ]
  static let kafkaMembers = ["topic", "partition", "offset", "key", "timestamp"]

  func path(_ name: String, in reader: ObjectReader) -> JSONPath? {
    guard let text = reader.text(name) else { return nil }
    let pointer = reader.pointer(to: name)
    do {
      let path = try JSONPath(text)
      check(path.referencedQueries, path.patternFaults, at: pointer, offset: 0)
      return path
    } catch {
      report.error(error.code, error.message, at: pointer, .inside(error.at))
      return nil
    }
  }

  func condition(_ name: String, in reader: ObjectReader) -> JSONPathCondition? {
    guard let text = reader.text(name) else { return nil }
    let pointer = reader.pointer(to: name)
    do {
      let condition = try JSONPathCondition(text)
      check(condition.referencedQueries, condition.patternFaults, at: pointer, offset: 0)
      return condition
    } catch {
      report.error(error.code, error.message, at: pointer, .inside(error.at))
      return nil
    }
  }

  func template(_ json: JSON, at pointer: JSONPointer) -> Template? {
    for (inner, expression) in Template.expressions(in: json) {
      check(
        expression.referencedQueries, expression.patternFaults, at: pointer.appending(inner), offset: expression.offset)
    }
    let mistakes = Template.mistakes(in: json)
    for mistake in mistakes {
      report.error(mistake.code, mistake.message, at: pointer.appending(mistake.pointer), .inside(mistake.offset))
    }
    return mistakes.isEmpty ? try? Template(json) : nil
  }

  private func check(
    _ queries: [ReferencedQuery], _ faults: [JSONPathError], at pointer: JSONPointer, offset: Int
  ) {
    for fault in faults { report.error(fault.code, fault.message, at: pointer, .inside(max(0, offset + fault.at))) }
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
