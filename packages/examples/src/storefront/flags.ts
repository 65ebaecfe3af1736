/** The flags of the storefront; their values are settings, so a file, a provider or the admin port changes them. */
import { Flag } from "@failsoft/core"

/** Whether a visitor gets picks of his own where the recommendations are down. */
export const picks = Flag.rollout("recommendations-picks", {
  description: "picks by taste in the place of the bestsellers; owner: team-discovery; to be removed once at 100 %"
})
