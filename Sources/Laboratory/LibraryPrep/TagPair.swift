import JSON
import Values

/// The two tags of a library: short sequences by which its reads are found among those of a pool.
struct TagPair: Sendable, Hashable {
  let i7: String
  let i5: String

  init(i7: String, i5: String) {
    self.i7 = i7
    self.i5 = i5
  }

  /// A set of 96 pairs. Two pairs of one set, or of two sets, differ in at least two bases of either tag.
  enum Kit: String, Sendable, CaseIterable {
    case a = "A"
    case b = "B"
    case c = "C"
    case d = "D"
  }

  /// Returns the pair of a well.
  /// - Parameter well: 0 to 95, as in `PositionName`.
  init(of kit: Kit, well: Int) {
    var rest = (Kit.allCases.firstIndex(of: kit) ?? 0) * PositionName.wellsPerBox + well
    var i7 = ""
    // Five digits to the base four. The pairs of bases of two digits differ in both bases.
    for _ in 0..<5 {
      i7 += ["AC", "CA", "GT", "TG"][rest % 4]
      rest /= 4
    }
    self.init(i7: i7, i5: String(i7.reversed().map { Self.complements[$0] ?? $0 }))
  }

  private static let complements: [Character: Character] = ["A": "T", "C": "G", "G": "C", "T": "A"]

  /// The members of its JSON.
  var members: JSONObject { ["i7": .string(i7), "i5": .string(i5)] }

  init(_ members: StoredMembers) throws(UnreadableEvent) {
    self.init(i7: try members.string("i7"), i5: try members.string("i5"))
  }
}
