import JSON

/// Finds the name that a misspelt name probably means.
public enum NearNames {
  /// Returns the nearest candidate, or nil when none is near. Case and the signs `-` and `_` count little.
  /// - Parameters:
  ///   - limit: the most edits; nil means 1 to 3, by the length of the name.
  ///   - completes: whether a name of 3 or more characters matches a candidate that begins with it.
  public static func nearest(
    to name: String, among candidates: some Sequence<String>, within limit: Int? = nil, completes: Bool = false
  ) -> String? {
    // A very long name is not worth the table.
    guard name.utf8.count <= 1_000 else { return nil }
    let wanted = key(name)
    // A short name has few neighbours with the same meaning.
    guard !wanted.isEmpty, wanted.count <= 64 else { return nil }
    let allowed = limit ?? (wanted.count <= 2 ? 1 : wanted.count <= 5 ? 2 : 3)
    var best: (name: String, distance: Int)?
    for candidate in candidates where candidate.utf8.count <= 1_000 && !candidate.hasSameScalars(as: name) {
      let other = key(candidate)
      if completes, wanted.count >= 3, other.starts(with: wanted), 1 < best?.distance ?? .max {
        best = (candidate, 1)
        continue
      }
      guard other.count <= 64, abs(other.count - wanted.count) <= allowed else { continue }
      let distance = editDistance(wanted, other, within: allowed)
      // A word with more than half of its characters changed is another word.
      guard distance <= allowed, distance * 2 <= max(wanted.count, other.count) else { continue }
      if distance < best?.distance ?? .max { best = (candidate, distance) }
    }
    return best?.name
  }

  private static func key(_ name: String) -> [Unicode.Scalar] {
    name.lowercased().unicodeScalars.filter { $0 != "-" && $0 != "_" && $0 != " " }
  }

  /// Returns the number of insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
  /// - Parameter limit: the largest distance that is exact. Only this number of columns on each side of the diagonal is
  ///   filled in.
  static func editDistance(_ left: [Unicode.Scalar], _ right: [Unicode.Scalar], within limit: Int = 64) -> Int {
    guard !left.isEmpty, !right.isEmpty else { return max(left.count, right.count) }
    let far = limit + 1
    var beforeLast: [Int] = []
    var last = Array(0...right.count)
    for row in 1...left.count {
      var current = [row]
      current.reserveCapacity(right.count + 1)
      for column in 1...right.count {
        guard abs(column - row) <= limit else {
          current.append(far)
          continue
        }
        let same = left[row - 1] == right[column - 1]
        var cost = min(last[column] + 1, current[column - 1] + 1, last[column - 1] + (same ? 0 : 1))
        if row > 1, column > 1, left[row - 1] == right[column - 2], left[row - 2] == right[column - 1] {
          cost = min(cost, beforeLast[column - 2] + 1)
        }
        current.append(cost)
      }
      beforeLast = last
      last = current
    }
    return last[right.count]
  }
}
