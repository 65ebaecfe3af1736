/** Checks on what is left when all is over, and on the run itself. */
import { broken, type Check } from "../Check.ts"

/** The composition could be built, and could be heard. */
export const itRuns: Check = ({ failure, endedAt }) => (failure === undefined ? undefined : broken(failure, endedAt))

/** Time and chance come through Effect's Clock and Random. */
export const timeIsControlled: Check = ({ uncontrolled: [first], endedAt }) =>
  first === undefined ? undefined : broken(`uncontrolled time or chance: ${first}`, endedAt)

/** There is always somebody to go on. */
export const noDeadlock: Check = ({ deadlockAt }) =>
  deadlockAt === undefined
    ? undefined
    : broken("nothing is ready and nobody sleeps: somebody waits for what never comes, such as a promise", deadlockAt)

const held = ["running", "waiting", "probing"] as const

/** Every permit, every place in a queue and every probe is given back. */
export const permitsAreBack: Check = ({ policies, endedAt, deadlockAt }) => {
  for (const { downstream, method, name, state } of deadlockAt === undefined ? policies : []) {
    for (const word of held) {
      const left = state[word]
      if (typeof left === "number" && left !== 0) {
        return broken(`${downstream}/${method}/${name}: still ${left} ${word} when all is over`, endedAt)
      }
    }
  }
  return undefined
}

/** No fiber and no timer is left. */
export const nothingIsLeft: Check = ({ left, endedAt }) =>
  left.fibers > 0
    ? broken(`${left.fibers} fibers still live when all is over`, endedAt)
    : left.timers > 0
      ? broken(`${left.timers} timers are still pending when all is over`, endedAt)
      : undefined
