import JSON
import Values

/// The indexes of a library: short sequences by which its reads are found among those of a pool.
struct IndexPair: Sendable, Hashable {
  let i7: String
  /// Nil for a library with a single index.
  let i5: String?

  static let rule = "must be 4 to 20 bases, each A, C, G or T"

  init(i7: String, i5: String?) {
    self.i7 = i7
    self.i5 = i5
  }

  static func isIndex(_ text: String) -> Bool {
    (4...20).contains(text.utf8.count) && text.utf8.allSatisfy { "ACGT".utf8.contains($0) }
  }

  /// Returns the number of bases in which the pairs differ, over both indexes. An index that only one of them has, and the
  /// end of the longer index, are not compared: the sequencer can't tell them apart by these.
  func distance(to other: IndexPair) -> Int {
    Self.distance(i7, other.i7) + Self.distance(i5 ?? "", other.i5 ?? "")
  }

  private static func distance(_ left: String, _ right: String) -> Int {
    zip(left.utf8, right.utf8).count { $0 != $1 }
  }

  /// The members of its JSON.
  var members: [(String, JSON)] {
    var members: [(String, JSON)] = [("i7", .string(i7))]
    if let i5 { members.append(("i5", .string(i5))) }
    return members
  }

  /// - Returns: nil when the object has no `i7`.
  init?(_ json: JSON) {
    guard let i7 = json["i7"]?.stringValue else { return nil }
    self.init(i7: i7, i5: json["i5"]?.stringValue)
  }
}

extension Fields {
  /// Returns the indexes from the members `i7` and, if there is one, `i5`.
  mutating func indexes() -> IndexPair? {
    func read(_ value: JSON) -> String? { value.stringValue.flatMap { IndexPair.isIndex($0) ? $0 : nil } }
    let i7 = self.read("i7", IndexPair.rule, isRequired: true, read)
    let i5 = self.read("i5", IndexPair.rule, read)
    return i7.map { IndexPair(i7: $0, i5: i5) }
  }
}
