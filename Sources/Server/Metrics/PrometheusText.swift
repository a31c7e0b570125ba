/// Metrics in Prometheus' text format, version 0.0.4.
struct PrometheusText {
  static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  enum Kind: String {
    /// Goes up and down.
    case gauge
    /// Only goes up, from zero when the process begins; its name ends in `_total`.
    case counter
  }

  /// One line of a metric.
  struct Sample {
    let labels: [(name: String, value: String)]
    let value: String

    init(_ value: Int64, _ labels: KeyValuePairs<String, String> = [:]) {
      self.labels = labels.map { ($0, $1) }
      self.value = "\(value)"
    }

    init(seconds: Duration, _ labels: KeyValuePairs<String, String> = [:]) {
      let (whole, attoseconds) = seconds.components
      let microseconds = String(attoseconds.magnitude / 1_000_000_000_000)
      let fraction = String(repeating: "0", count: 6 - microseconds.count) + microseconds
      self.labels = labels.map { ($0, $1) }
      // The value is in milliseconds, with a finer fraction only if there is one.
      value =
        "\(whole < 0 || attoseconds < 0 ? "-" : "")\(whole.magnitude)."
        + (fraction.hasSuffix("000") ? String(fraction.dropLast(3)) : fraction)
    }
  }

  private(set) var text = ""

  /// Adds a metric with all its samples, each with labels of its own.
  mutating func add(_ name: String, _ kind: Kind, _ help: String, _ samples: [Sample]) {
    guard !samples.isEmpty else { return }
    text += "# HELP \(name) \(Self.escaped(help, also: []))\n# TYPE \(name) \(kind.rawValue)\n"
    for sample in samples {
      let labels = sample.labels.map { "\($0.name)=\"\(Self.escaped($0.value, also: ["\""]))\"" }
      text += "\(name)\(labels.isEmpty ? "" : "{\(labels.joined(separator: ","))}") \(sample.value)\n"
    }
  }

  mutating func add(_ name: String, _ kind: Kind, _ help: String, _ value: Int64) {
    add(name, kind, help, [Sample(value)])
  }

  private static func escaped(_ text: String, also quotes: Set<Unicode.Scalar>) -> String {
    var scalars = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\n": scalars.append(contentsOf: ["\\", "n"])
      case "\\": scalars.append(contentsOf: ["\\", "\\"])
      case _ where quotes.contains(scalar): scalars.append(contentsOf: ["\\", scalar])
      default: scalars.append(scalar)
      }
    }
    return String(scalars)
  }
}
