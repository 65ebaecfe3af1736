/** No policy at all: what an await costs. */
import { type Build, down } from "../settings.ts"

export const build: Build = {
  scenarios: {
    closed: async () => async (calls) => {
      for (let i = 0; i < calls; i++) await down()
    }
  }
}
