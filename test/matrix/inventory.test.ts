import { matrix } from "../scenarios/matrix.ts"

matrix("inventory")
