/// A house word: one or more plain words, or the name of one identifier.
struct HouseWord: Sendable {
  enum Kind: Sendable, Hashable {
    /// Any of these sequences of plain words, in lower case.
    case phrase(forms: [[String]])
    /// An identifier, or its beginning.
    case identifier
  }

  /// How the word is named in the table of ceilings.
  let text: String
  let kind: Kind

  /// - Parameter forms: the forms of the word, with blanks between the words of a phrase.
  init(_ text: String, _ forms: String...) {
    self.text = text
    kind = .phrase(forms: (forms.isEmpty ? [text] : forms).map { $0.split(separator: " ").map(String.init) })
  }

  private init(identifier: String) {
    text = identifier
    kind = .identifier
  }

  static func identifier(_ text: String) -> HouseWord { HouseWord(identifier: text) }
}

/// The house words and their exceptions.
enum HouseWords {
  static let all: [HouseWord] = [
    HouseWord("stand", "stand", "stands", "stood", "standing"),
    HouseWord("nobody"), HouseWord("whoever"), HouseWord("is told", "is told", "are told"), HouseWord("anew"),
    HouseWord("mend", "mend", "mends", "mended"), HouseWord("hold up", "hold up", "holds up"), HouseWord("in hand"),
    HouseWord("letter", "letter", "letters"), HouseWord("courier", "courier", "couriers"),
    HouseWord("desk", "desk", "desks"), HouseWord("lane", "lane", "lanes"), HouseWord("furniture"),
    HouseWord("marks"), HouseWord("seen token"), HouseWord("is no", "is no", "are no"),
    HouseWord("what can't be", "what can t be"), HouseWord("moment", "moment", "moments"),
    .identifier("goOn"), .identifier("letTimePass"), .identifier("holdMoments"), .identifier("expectAnew"),
    .identifier("isHolding"), .identifier("notMade"),
  ]

  /// A use of a word that is not counted.
  struct Exception: Sendable {
    let word: String
    /// Why the word is right there.
    let reason: String
    /// The words one of which comes before; empty for any.
    var after: Set<String> = []
    /// The words one of which comes next; empty for any.
    var before: Set<String> = []
    /// Whether nothing but a hyphen comes between the word and the next one, as in `standIn` and "stand-in".
    var isJoined = false
    /// Whether the word is a whole literal, as a member's name in JSON.
    var isQuoted = false
    /// The files and folders to which it is limited; empty for all.
    var paths: [String] = []
  }

  static let exceptions: [Exception] = [
    Exception(word: "stand", reason: "a stand-in is a test double", before: ["in", "ins"], isJoined: true),
    Exception(word: "nobody", reason: "libcurl's option CURLOPT_NOBODY", after: ["curlopt"]),
    Exception(word: "letter", reason: "a dead letter", after: ["dead"]),
    Exception(
      word: "letter", reason: "a letter of the alphabet",
      after: [
        "ascii", "capital", "case", "composed", "cyrillic", "decomposed", "latin", "lowercase", "modifier", "other",
        "small", "titlecase", "uppercase",
      ]),
    Exception(
      word: "letter", reason: "a letter of the alphabet",
      before: ["and", "digits", "may", "number", "of", "or", "that"]),
    Exception(
      word: "letter", reason: "a letter of the alphabet",
      paths: [
        "Sources/Persistence/ReadModels/SagaWords.swift", "Sources/Runtime/PersonName.swift",
        "Sources/Runtime/VisibleText.swift", "Tests/Laboratory/IdentifierTests.swift",
        "Tests/Laboratory/ManifestTests.swift", "Tests/Persistence/ReadModels/OddRowTests.swift",
        "Tests/WorkflowEngine/ParticipantWordsTests.swift",
      ]),
    Exception(word: "letter", reason: "the member “letters” of a notice destination's status", isQuoted: true),
    Exception(word: "marks", reason: "the member “marks” of a saga's timeline", isQuoted: true),
    Exception(word: "lane", reason: "a member or a claim's scope for a sequencer's lane", isQuoted: true),
    Exception(word: "letter", reason: "Swift's Character.isLetter", after: ["is"]),
    Exception(
      word: "lane", reason: "a lane of a sequencer's flow cell",
      paths: [
        "Sources/Laboratory/", "Tests/Laboratory/", "Tests/System/SequencingRunTests.swift",
        "Tests/System/PoolingTests.swift", "Tests/System/DeliveryTests.swift", "Tests/Rehearsal/ExplorerTests.swift",
        "docs/laboratory.md", "docs/errors/",
      ]),
    Exception(
      word: "lane", reason: "a lane of a sequencer's flow cell",
      after: ["book", "flow", "free", "input", "output", "outputs", "release", "reserve"]),
    Exception(
      word: "lane", reason: "the workflow pooling-and-lanes", after: ["and"], paths: ["docs/performance.md"]),
    Exception(
      word: "lane", reason: "a lane of a sequencer's flow cell", before: ["booked", "released", "taken", "full", "per"]),
    Exception(
      word: "furniture", reason: "a stored event's name, which never changes",
      before: ["location", "instrument", "undo"]),
    Exception(
      word: "furniture", reason: "the stored name of the aggregate, which never changes",
      paths: ["Sources/Laboratory/Core/Equipment.swift", "Tests/Laboratory/Kafka/KafkaCommandTests.swift"]),
    Exception(
      word: "marks", reason: "a mark of punctuation or of Unicode",
      after: ["combining", "order", "question", "quotation", "bidirectional"]),
    Exception(word: "is no", reason: "“there is no …” is plain English", after: ["there"]),
    Exception(word: "is no", reason: "“no longer” and “no more” are plain English", before: ["longer", "more"]),
  ]
}
