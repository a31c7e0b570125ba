/// The name that was probably meant.
enum NearName {
  /// - Returns: the nearest of `known`, when it is near enough to be a slip of the keyboard.
  static func of(_ name: String, among known: [String]) -> String? {
    let written = Array(name.unicodeScalars.prefix(64))
    let nearest = known.map { ($0, distance(written, Array($0.unicodeScalars))) }.min { $0.1 < $1.1 }
    guard let (found, distance) = nearest, distance <= max(1, found.unicodeScalars.count / 3) else { return nil }
    return found
  }

  /// Scalars to insert, delete, replace, or swap with their neighbour, letter case left aside.
  private static func distance(_ left: [Unicode.Scalar], _ right: [Unicode.Scalar]) -> Int {
    let left = left.map(\.properties.lowercaseMapping)
    let right = right.map(\.properties.lowercaseMapping)
    var beforeLast: [Int] = []
    var last = Array(0...right.count)
    for row in left.indices {
      var current = [row + 1]
      for column in right.indices {
        var best = min(last[column + 1], current[column]) + 1
        best = min(best, last[column] + (left[row] == right[column] ? 0 : 1))
        if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
          best = min(best, beforeLast[column - 1] + 1)
        }
        current.append(best)
      }
      beforeLast = last
      last = current
    }
    return last[right.count]
  }
}
