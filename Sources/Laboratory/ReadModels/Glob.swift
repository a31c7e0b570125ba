/// A pattern in which `*` matches any number of characters, and `?` matches one.
public struct Glob: Sendable, Hashable {
  public let pattern: String
  private let scalars: [Unicode.Scalar]

  public init(_ pattern: String) {
    self.pattern = pattern
    scalars = Array(pattern.unicodeScalars)
  }

  /// The text with which every match begins.
  public var prefix: String {
    var prefix = String.UnicodeScalarView()
    prefix.append(contentsOf: scalars.prefix { $0 != "*" && $0 != "?" })
    return String(prefix)
  }

  public func matches(_ text: String) -> Bool {
    let text = Array(text.unicodeScalars)
    var at = 0
    var pattern = 0
    // The places at which to continue when the pattern after the last star doesn't match: the star takes one more character.
    var star: (pattern: Int, at: Int)?
    while at < text.count {
      if pattern < scalars.count, scalars[pattern] == "*" {
        star = (pattern + 1, at)
        pattern += 1
      } else if pattern < scalars.count, scalars[pattern] == "?" || scalars[pattern] == text[at] {
        pattern += 1
        at += 1
      } else if let last = star {
        star = (last.pattern, last.at + 1)
        pattern = last.pattern
        at = last.at + 1
      } else {
        return false
      }
    }
    return scalars[pattern...].allSatisfy { $0 == "*" }
  }
}
