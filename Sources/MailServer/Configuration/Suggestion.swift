/// The candidate that was probably meant by `text`: at most a third of its letters apart.
func suggestion(for text: String, among candidates: [String]) -> String? {
  let written = Array(text.lowercased())
  guard written.count <= 64 else { return nil }
  return
    candidates
    .map { (name: $0, distance: editDistance(written, Array($0.lowercased()))) }
    .filter { $0.distance <= max(1, $0.name.count / 3) }
    .min { $0.distance < $1.distance }?
    .name
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one into the other (optimal string alignment).
private func editDistance(_ left: [Character], _ right: [Character]) -> Int {
  var beforeLast: [Int] = []
  var last = Array(0...right.count)
  for i in 0..<left.count {
    var row = [i + 1]
    for j in 0..<right.count {
      var distance = min(row[j] + 1, last[j + 1] + 1, last[j] + (left[i] == right[j] ? 0 : 1))
      if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] {
        distance = min(distance, beforeLast[j - 1] + 1)
      }
      row.append(distance)
    }
    (beforeLast, last) = (last, row)
  }
  return last[right.count]
}
