import { matrix } from "../scenarios/matrix.ts"

matrix("shipping.ups")
