import JSON
import Workflows

/// Where two JSON values differ, for people.
enum JSONDifference {
  /// The most places that are listed.
  private static let most = 5
  /// The most characters of a value that are shown.
  private static let longest = 120

  /// Compares a value with a template that the saga's document fills in.
  /// - Returns: one difference at most.
  static func differences(_ what: String, template: Template, seen: JSON?, in document: JSON) -> [Difference] {
    do {
      let expected = try template.render(in: document) ?? .null
      let lines = places(expected, seen, at: .root, isPartial: false)
      guard !lines.isEmpty else { return [] }
      return [
        Difference(what, expected: shown(expected), seen: seen.map(shown) ?? "none", details: cut(lines))
      ]
    } catch {
      return [
        Difference(
          what, expected: shown(template.source), seen: "it can't be computed [\(error.code)]", details: [error.message]
        )
      ]
    }
  }

  /// Compares a body with a template.
  /// - Parameter isPartial: whether the body may have more members.
  /// - Returns: a line for each place that differs.
  static func lines(_ what: String, template: Template, seen: JSON?, in document: JSON, isPartial: Bool) -> [String] {
    do {
      let expected = try template.render(in: document) ?? .null
      return cut(places(expected, seen, at: .root, isPartial: isPartial)).map { "\(what)\($0)" }
    } catch {
      return ["\(what): it can't be computed: \(error.message) [\(error.code)]"]
    }
  }

  static func shown(_ json: JSON) -> String {
    let text = json.text()
    return text.unicodeScalars.count <= longest
      ? text : String(String.UnicodeScalarView(text.unicodeScalars.prefix(longest))) + "…"
  }

  private static func cut(_ lines: [String]) -> [String] {
    lines.count <= most ? lines : lines.prefix(most) + ["and \(lines.count - most) more"]
  }

  /// Returns the places that differ, in the order of the expected value: `/barcode: expected "A", seen "B"`.
  private static func places(_ expected: JSON, _ seen: JSON?, at pointer: JSONPointer, isPartial: Bool) -> [String] {
    guard let seen else { return ["\(pointer): expected \(shown(expected)), seen none"] }
    if expected == seen { return [] }
    switch (expected, seen) {
    case (.object(let left), .object(let right)):
      var lines: [String] = []
      for (name, value) in left {
        lines += places(value, right[name], at: pointer.appending(name), isPartial: isPartial)
      }
      if !isPartial {
        for (name, value) in right where left[name] == nil {
          lines.append("\(pointer.appending(name)): not expected, seen \(shown(value))")
        }
      }
      return lines
    case (.array(let left), .array(let right)) where left.count == right.count:
      return left.indices.flatMap {
        places(left[$0], right[$0], at: pointer.appending($0), isPartial: isPartial)
      }
    case (.null, _), (.bool, _), (.number, _), (.string, _), (.array, _), (.object, _):
      return ["\(pointer): expected \(shown(expected)), seen \(shown(seen))"]
    }
  }
}
