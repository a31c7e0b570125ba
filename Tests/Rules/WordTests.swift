import Foundation
import TestSupport
import Testing

/// Counts words that say little outside this project ("house words"), in comments, literals, identifiers, test names and
/// file names. Names on the wire and in stores never change, and are exceptions.
@Suite("House words become fewer", .timeLimit(.minutes(15)), .inTurn)
struct WordTests {
  /// The most uses of each word in each group of folders. A word without a number may not be used at all.
  ///
  /// Lower a ceiling when the test says that it can be lowered; never raise one.
  static let ceilings: [String: [String: Int]] = [
    "docs": [
      "stand": 53, "nobody": 5, "whoever": 2, "is told": 5, "anew": 3, "letter": 2, "courier": 5, "lane": 1, "marks": 3,
      "is no": 1, "what can't be": 1, "moment": 194, "notMade": 1,
    ],
    "docs/errors": [:],
    "console": ["stand": 9, "marks": 8, "moment": 38, "notMade": 1],
    "Sources": [
      "stand": 75, "nobody": 3, "whoever": 2, "is told": 5, "anew": 4, "hold up": 1, "letter": 18,
      "lane": 20, "marks": 69, "seen token": 10, "is no": 31, "moment": 188, "notMade": 4,
    ],
    "Tests": [
      "stand": 38, "nobody": 30, "is told": 3, "anew": 11, "mend": 9, "letter": 55, "desk": 13, "lane": 4, "marks": 5,
      "seen token": 8, "is no": 37, "moment": 104, "notMade": 1,
    ],
  ]

  @Test("No group of folders uses a house word more often than before", arguments: WordGroup.all)
  func counts(group: WordGroup) async throws {
    let uses = try group.uses()
    let ceilings = Self.ceilings[group.name, default: [:]]
    var changed: Set<WordUse.Line>?
    for word in HouseWords.all {
      let found = uses.filter { $0.word == word.text }
      let ceiling = ceilings[word.text, default: 0]
      if found.count < ceiling {
        print("\(group.name): “\(word.text)” \(found.count) times: its ceiling can be lowered from \(ceiling)")
      }
      guard found.count > ceiling else { continue }
      let since = if let changed { changed } else { await group.linesChangedSinceCeilings() }
      changed = since
      let new = found.filter { since.contains($0.line) }
      let shown = (new.isEmpty ? found : new).prefix(40).map(\.description).joined(separator: "\n")
      Issue.record(
        """
        \(group.name): “\(word.text)” \(found.count) times, \(ceiling) allowed. STYLE: use a plain word.
        \(new.isEmpty ? "All lines" : "New lines"):
        \(shown)
        """)
    }
    let row = HouseWords.all.compactMap { word in
      let count = uses.count { $0.word == word.text }
      return count == 0 ? nil : "\"\(word.text)\": \(count)"
    }
    print("The row of ceilings for today: \"\(group.name)\": [\(row.isEmpty ? ":" : row.joined(separator: ", "))],")
  }

  @Test("Every word with a ceiling is a house word")
  func knownWords() {
    let known = Set(HouseWords.all.map(\.text))
    for (group, ceilings) in Self.ceilings {
      #expect(WordGroup.all.contains { $0.name == group }, "\(group) is not a group of folders")
      for word in ceilings.keys { #expect(known.contains(word), "\(group): “\(word)” is not a house word") }
    }
  }

  @Test(
    "Uses are found in prose, camel case and file names, and exceptions are not counted",
    arguments: [
      ("/// Where the checkpoint stands.", ["stand"]), ("let standing = whereItStands", ["stand", "stand"]),
      ("a `StandInRegistry`, a stand-in", []), ("understand, withstand", []),
      ("// nobody is told\n// anew", ["nobody", "is told", "anew"]),
      ("it is\n/// no error", ["is no"]), ("that is. No error", []), ("there is no shard; they are no longer here", []),
      ("a dead letter, DeadLetter, deadLetters, dead-letters", []), ("let letters: [Letter]", ["letter", "letter"]),
      ("names have letters, digits and hyphens; a letter or _", []), ("func goOn() { goOnAgain() }", ["goOn"]),
      ("it goes on", []), ("holdMoments", ["holdMoments", "moment"]), ("\"furniture.locationSetUp\"", []),
      ("CURLOPT_NOBODY", []), ("question marks, marks", ["marks"]), ("what can't be read", ["what can't be"]),
      ("holds up, hold up, is holding up", ["hold up", "hold up"]), ("Bauhaus moments’ amendment", ["moment"]),
    ] as [(String, [String])])
  func examples(text: String, words: [String]) {
    let uses = WordReader.uses(in: text, path: "Sources/Example.swift")
    #expect(uses.map(\.word).sorted() == words.sorted(), "\(text)")
  }
}
