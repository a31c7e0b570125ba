import Foundation

/// Programs of the build, as processes of their own.
public enum TestProgram {
  /// A program that the build put beside the tests.
  public static func url(_ name: String) -> URL {
    let bundle = Bundle.allBundles.map(\.bundleURL) + [URL(fileURLWithPath: CommandLine.arguments[0])]
    return bundle.map { $0.deletingLastPathComponent().appendingPathComponent(name) }
      .first { FileManager.default.isExecutableFile(atPath: $0.path) }
      ?? URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent(".build/debug/\(name)")
  }

  /// The lines that a process writes. Reading blocks, so it has a thread of its own.
  public static func lines(of handle: FileHandle) -> AsyncStream<String> {
    let (lines, lining) = AsyncStream.makeStream(of: String.self)
    Thread {
      var rest: [UInt8] = []
      while case let bytes = handle.availableData, !bytes.isEmpty {
        rest += bytes
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
          lining.yield(String(decoding: rest[..<end], as: UTF8.self))
          rest.removeFirst(end + 1)
        }
      }
      lining.finish()
    }.start()
    return lines
  }
}
