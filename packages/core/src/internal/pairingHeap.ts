/**
 * A pairing heap (Fredman, Sedgewick, Sleator, Tarjan: Algorithmica 1986) whose nodes are
 * the entries themselves: the least is at hand, adding takes one comparison, and
 * removing any of them a logarithm of how many there are, taken over many removals.
 */

/** A node; all of it but `at`, by which the heap is ordered, belongs to the heap. */
export interface Node<N> {
  readonly at: number
  /** Its first child. */
  below: N | undefined
  /** Its sibling to the right. */
  next: N | undefined
  /** Its sibling to the left; of a first child the parent. */
  previous: N | undefined
}

/** The heap. A node is in one at a time. */
export class PairingHeap<N extends Node<N>> {
  least: N | undefined = undefined

  /** Adds a node that is in no heap. */
  add(node: N): void {
    this.least = this.least === undefined ? node : meld(this.least, node)
  }

  /** Removes a node that is in this heap. */
  remove(node: N): void {
    const rest = merged(node.below)
    node.below = undefined
    if (node === this.least) {
      this.least = rest
      return
    }
    cut(node)
    if (rest !== undefined && this.least !== undefined) this.least = meld(this.least, rest)
  }
}

/** The later of two roots becomes the first child of the other. */
const meld = <N extends Node<N>>(a: N, b: N): N => {
  const [parent, child] = b.at < a.at ? [b, a] : [a, b]
  child.previous = parent
  child.next = parent.below
  if (child.next !== undefined) child.next.previous = child
  parent.below = child
  return parent
}

/** Takes a node that is no root, with all below it, from among its siblings. */
const cut = <N extends Node<N>>(node: N): void => {
  const { next, previous } = node
  if (previous?.below === node) previous.below = next
  else if (previous !== undefined) previous.next = next
  if (next !== undefined) next.previous = previous
  node.next = node.previous = undefined
}

/** One root of siblings: they are melded in pairs from the left, and the pairs from the right. */
const merged = <N extends Node<N>>(first: N | undefined): N | undefined => {
  let pairs: N | undefined
  let node = first
  while (node !== undefined) {
    const second: N | undefined = node.next
    const rest: N | undefined = second?.next
    const pair: N = second === undefined ? node : meld(alone(node), alone(second))
    pair.previous = undefined
    pair.next = pairs
    pairs = pair
    node = rest
  }
  let root = pairs
  let left = root?.next
  if (root !== undefined) root.next = undefined
  while (root !== undefined && left !== undefined) {
    const rest: N | undefined = left.next
    root = meld(root, alone(left))
    left = rest
  }
  return root
}

/** A node without siblings. */
const alone = <N extends Node<N>>(node: N): N => {
  node.next = node.previous = undefined
  return node
}
