import Synchronization

/// The letters of one append, each answered once: early with an error when the store is out of reach, or at the end.
final class ReplyOnce: Sendable {
  private let letters: Mutex<[Saga.Letter]>

  init(_ letters: [Saga.Letter]) { self.letters = Mutex(letters) }

  func fail(_ error: any Error) {
    for letter in take() { letter.reply?(.failure(error)) }
  }

  /// The letters that have not been answered.
  func take() -> [Saga.Letter] {
    letters.withLock { letters in
      defer { letters = [] }
      return letters
    }
  }
}
