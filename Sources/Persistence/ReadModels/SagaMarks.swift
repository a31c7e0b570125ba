import Runtime
import Values

// What a row is found by, as short texts. A list checks a row's marks; an index row for each of them that is selective
// drives it.
enum SagaMark {
  static func status(_ status: String) -> String { "s=\(status)" }
  static func workflow(_ name: String) -> String { "w=\(name)" }
  static func version(_ name: String, _ version: Int) -> String { "v=\(name)@\(version)" }
  static func versionAlone(_ version: Int) -> String { "n=\(version)" }
  static func both(_ workflow: String, status: String) -> String { "b=\(status)/\(workflow)" }
  static func both(_ workflow: String, error: String) -> String { "f=\(workflow)\u{1E}\(error)" }
  static func step(_ step: String, _ status: String) -> String { "x=\(status)/\(step)" }
  static func at(_ step: String) -> String { "a=\(step)" }
  static func stepStatus(_ status: String) -> String { "p=\(status)" }
  static func error(_ code: String) -> String { "e=\(code)" }
  static func waiting(_ what: String) -> String { "d=\(what)" }
  // Texts by which people tell sagas apart are the same however their letters are composed.
  static func tag(_ tag: String) -> String { "t=\(VisibleText.normal(tag))" }
  static func key(_ key: String) -> String { "k=\(VisibleText.normal(key))" }
  static let paused = "z=paused"
  static let word = "q="

  /// Between the marks of a row, and around them. It is in no text that is stored: `clean` takes it out.
  static let separator = "\u{1F}"

  /// The most bytes of a mark. An index row of Postgres holds 2,704 in all, so that a longer one would stop its shard.
  static let longest = 500
  /// How much of a longer mark is kept, in bytes. The digest of the whole stands behind it.
  static let kept = 400

  /// Returns a mark, or one text among several, as it is stored and looked for: without the separator, and no longer than an
  /// index row may be. Two different marks stay different.
  static func clean(_ text: String) -> String {
    let text = plain(text)
    guard text.utf8.count > longest else { return text }
    return beginning(of: text) + "\u{2026}" + Digest.hex(Array(text.utf8))
  }

  /// Returns the beginning of marks as it is looked for. Of a very long one, no more than marks keep: it then also finds marks
  /// that only begin the same.
  static func cleanPrefix(_ text: String) -> String {
    let text = plain(text)
    return text.utf8.count > kept ? beginning(of: text) : text
  }

  private static func plain(_ text: String) -> String {
    let text = text.withoutNUL
    return text.contains(separator) ? text.replacing(separator, with: " ") : text
  }

  private static func beginning(of text: String) -> String {
    var count = 0
    return String(
      String.UnicodeScalarView(
        text.unicodeScalars.prefix { scalar in
          count += UTF8.width(scalar)
          return count <= kept
        }))
  }

  /// What nearly every saga has: as an index they would find everything.
  static let commonStepStatuses: Set<String> = ["pending", "succeeded"]

  static func isIndexed(step status: String) -> Bool { !commonStepStatuses.contains(status) }
}

extension SagaRow {
  /// All that its marks say, whether or not an index has them.
  var marks: Set<String> {
    var marks = indexed
    marks.insert(SagaMark.versionAlone(version))
    for step in steps {
      marks.insert(SagaMark.step(step.id, step.status))
      marks.insert(SagaMark.stepStatus(step.status))
    }
    return marks
  }

  /// The marks that an index has, without the words.
  var indexed: Set<String> {
    var marks: Set<String> = [
      SagaMark.status(status), SagaMark.workflow(workflow), SagaMark.version(workflow, version),
      SagaMark.both(workflow, status: status),
    ]
    for step in steps {
      if SagaMark.isIndexed(step: step.status) {
        marks.insert(SagaMark.step(step.id, step.status))
        marks.insert(SagaMark.stepStatus(step.status))
      }
      if step.isAt { marks.insert(SagaMark.at(step.id)) }
    }
    for error in errors {
      marks.insert(SagaMark.error(error))
      marks.insert(SagaMark.both(workflow, error: error))
    }
    for what in waitingFor { marks.insert(SagaMark.waiting(what)) }
    for tag in tags { marks.insert(SagaMark.tag(tag)) }
    if let key { marks.insert(SagaMark.key(key)) }
    if isPaused { marks.insert(SagaMark.paused) }
    return marks
  }

  var indexTerms: Set<String> {
    var terms = Set(indexed.map(SagaMark.clean))
    for word in words { terms.insert(SagaMark.word + SagaMark.clean(word)) }
    return terms
  }

  var marksText: String { Self.text(marks) }
  var wordsText: String { Self.text(Set(words)) }

  private static func text(_ marks: Set<String>) -> String {
    let separator = SagaMark.separator
    return separator + marks.map { SagaMark.clean($0) + separator }.sorted().joined()
  }
}
