import Runtime
import Values

// The index terms by which a row is found, as short texts. A list checks the terms of a row. A selective term also has
// an index row.
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
  static func cause(_ code: String) -> String { "c=\(code)" }
  static func waiting(_ what: String) -> String { "d=\(what)" }
  // Composed and decomposed characters are the same in texts that people use to distinguish sagas.
  static func tag(_ tag: String) -> String { "t=\(VisibleText.normal(tag))" }
  static func label(_ label: Label) -> String { "l=\(label.name):\(VisibleText.normal(label.value))" }
  static func key(_ key: String) -> String { "k=\(VisibleText.normal(key))" }
  static func parent(_ id: String) -> String { "o=\(id)" }
  static let paused = "z=paused"
  static let draft = "z=draft"
  static let word = "q="

  /// The separator around and between the index terms of a row. No stored text contains it, because `clean` removes it.
  static let separator = "\u{1F}"

  /// The most bytes of an index term. An index row of Postgres has 2,704 bytes in all; a longer row would stop its
  /// shard.
  static let longest = 500
  /// The number of bytes that are kept of a longer term. The digest of the whole term follows them.
  static let kept = 400

  /// Returns an index term, or one text of several, in the form that is stored and searched. It has no separator and
  /// fits an index row. Two different terms stay different.
  static func clean(_ text: String) -> String {
    let text = plain(text)
    guard text.utf8.count > longest else { return text }
    return beginning(of: text) + "\u{2026}" + Digest.hex(Array(text.utf8))
  }

  /// Returns a prefix of index terms in the form that is searched. A very long prefix is cut to the length that terms
  /// keep. Then it also finds terms that only begin the same.
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

  /// The step statuses of nearly every saga. An index on them would find everything.
  static let commonStepStatuses: Set<String> = ["pending", "succeeded"]

  static func isIndexed(step status: String) -> Bool { !commonStepStatuses.contains(status) }
}

extension SagaRow {
  /// All index terms of the row, with or without an index row.
  var marks: Set<String> {
    var marks = indexed
    marks.insert(SagaMark.versionAlone(version))
    for step in steps {
      marks.insert(SagaMark.step(step.id, step.status))
      marks.insert(SagaMark.stepStatus(step.status))
    }
    return marks
  }

  /// The terms that have an index row, without the words.
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
    let links = [parent.map(SagaMark.parent), causeCode.map(SagaMark.cause)].compactMap { $0 }
    for mark in tags.map(SagaMark.tag) + labels.map(SagaMark.label) + links { marks.insert(mark) }
    if let key { marks.insert(SagaMark.key(key)) }
    let flags = [(isPaused, SagaMark.paused), (VersionName.isDraft(version), SagaMark.draft)]
    for (isSet, flag) in flags where isSet { marks.insert(flag) }
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
